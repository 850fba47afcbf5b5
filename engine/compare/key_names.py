"""Names of environment variables, judged by what they usually hold.

Knows names and texts, never a value of the environment. Which address a key may go to is
`engine.compare.endpoint_keys`.
"""

import re

VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")

_ENDPOINT_KEYS = re.compile(r"AZURE_OPENAI_(API_)?KEY|GOOGLE_API_KEY")
"""Keys of endpoints in a family that is otherwise of accounts."""
_FAMILIES = (
    # clouds and clusters
    "AWS", "AMAZON", "AZURE", "ARM", "GOOGLE", "GCP", "GCLOUD", "CLOUDSDK", "ALIBABA", "ALICLOUD",
    "DIGITALOCEAN", "CLOUDFLARE", "HEROKU", "KUBE", "KUBECONFIG", "KUBERNETES", "VAULT", "CONSUL",
    "TF", "SLURM",
    # accounts of code and packages
    "GH", "GITHUB", "GITLAB", "BITBUCKET", "GITEA", "CI", "ACTIONS", "JENKINS", "NPM", "NODE_AUTH",
    "PYPI", "TWINE", "CARGO", "DOCKER", "SSH", "GPG", "SIGNING",
    # models, data and curves of the user
    "HF", "HUGGINGFACE", "HUGGING_FACE", "HUGGINGFACEHUB", "WANDB", "KAGGLE", "COMET", "NEPTUNE",
    "MLFLOW", "CLEARML", "LANGSMITH", "LANGCHAIN", "ROBOFLOW",
    # stores and services
    "DATABASE", "DB", "PG", "PGPASSWORD", "POSTGRES", "POSTGRESQL", "MYSQL", "MARIADB", "MONGO",
    "MONGODB", "REDIS", "ELASTIC", "SNOWFLAKE", "DATABRICKS", "SLACK", "DISCORD", "TELEGRAM",
    "STRIPE", "TWILIO", "SENDGRID", "SENTRY", "DATADOG", "DD", "SMTP", "JWT", "SESSION", "OAUTH",
)  # fmt: skip
"""First words of names that hold the key of an account, not of an endpoint."""
_ENDINGS = (
    "PASSWORD", "PASSWD", "PASS", "PASSPHRASE", "PWD", "SECRET", "SECRET_KEY", "SECRETS",
    "PRIVATE_KEY", "SIGNING_KEY", "CREDENTIAL", "CREDENTIALS", "DATABASE_URL", "DB_URL", "DSN",
    "CONNECTION_STRING", "COOKIE", "COOKIES",
)  # fmt: skip
_RESERVED = re.compile(
    rf"(?:{'|'.join(_FAMILIES)})(?:_.*)?|(?:.*_)?(?:{'|'.join(_ENDINGS)})|SECRET_.*", re.IGNORECASE
)
_KEYS = re.compile(
    r"(?:hf|sk|pk|rk|gsk|ghp|gho|ghu|ghs|ghr|glpat|github_pat|xai|pplx|nvapi|r8|fw|csk|tgp_v1)"
    r"[-_][A-Za-z0-9_-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|eyJ[A-Za-z0-9_.-]{20,}"
)
"""How the keys of well-known services begin."""
_DIGITS_AND_LETTERS = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9]{24,}")
_SETTING = re.compile(r"(?<![\w-])[\w-]+=")
_KEY_WORD = re.compile(r"key|token|secret|password|passwd|pwd|auth", re.IGNORECASE)
_VALUE = re.compile(r"[^&#\s]*")
_USER_INFO = re.compile(r"(?<=//)[^/?#\s]*@")
_HIDDEN = "…"


def is_variable(text: str) -> bool:
    """Whether a text can be the name of an environment variable, and is no key itself."""
    return VARIABLE.fullmatch(text) is not None and not is_key(text)


def is_key(text: str) -> bool:
    """Whether a text looks like a key itself: by its beginning, or as a long run of digits and
    letters."""
    return bool(_KEYS.fullmatch(text) or _DIGITS_AND_LETTERS.fullmatch(text))


def is_reserved(variable: str) -> bool:
    """Whether a variable of this name usually holds the key of an account (the Hub, a cloud, a
    code host, a database), which no endpoint is meant to see."""
    return bool(_RESERVED.fullmatch(variable)) and not _ENDPOINT_KEYS.fullmatch(variable.upper())


def hide_secrets(text: str) -> str:
    """A text of the user's that may hold a key where none belongs, without that: what stands
    before the host of an URL, and the values of settings that are named like keys."""
    text = _USER_INFO.sub(f"{_HIDDEN}@", text)
    pieces, at = [], 0
    for setting in _SETTING.finditer(text):
        name = setting[0].removesuffix("=")
        if setting.start() < at or not _KEY_WORD.search(name):
            continue
        value = _VALUE.match(text, setting.end())
        assert value is not None, "it matches nothing too"
        is_name = name == "key" and is_variable(value[0])
        pieces += [text[at : setting.end()], value[0] if is_name or not value[0] else _HIDDEN]
        at = value.end()
    return "".join([*pieces, text[at:]])
