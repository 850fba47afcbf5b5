"""Which environment variable may go to which address: what is agreed to, by whom, and how long."""

import stat
from pathlib import Path

import pytest

from engine.compare import endpoint_keys
from engine.compare.arms import parse_arm, parse_arms
from engine.compare.endpoint_keys import KeyNotAllowed, KeyUse, parse_use, uses_of
from engine.compare.key_names import hide_secrets, is_key, is_reserved, is_variable
from engine.errors import EngineError
from engine.state_files import state_folder

OPENAI = "o=https://api.openai.com/v1?model=m&key=OPENAI_API_KEY"


def test_a_key_is_refused_until_it_is_allowed_and_then_is_known() -> None:
    arms = parse_arms([OPENAI, "b=bundled:demo-base", "p=http://box:8000/v1?model=m"])
    use = KeyUse("https://api.openai.com", "OPENAI_API_KEY")
    assert uses_of(arms) == endpoint_keys.find_unknown(arms) == [use]
    with pytest.raises(KeyNotAllowed, match="OPENAI_API_KEY") as caught:
        endpoint_keys.check(arms)
    assert caught.value.uses == (use,)
    assert "edit the arm" in caught.value.hint
    assert "finetop" not in caught.value.hint, "there is no run"
    with pytest.raises(KeyNotAllowed) as caught:
        endpoint_keys.check(arms, "some-run")
    flag = "--allow-key https://api.openai.com=OPENAI_API_KEY"
    assert caught.value.hint == f"To allow it: finetop resume some-run {flag}"
    endpoint_keys.allow([use])
    endpoint_keys.check(arms)
    file = state_folder() / "endpoint-keys.json"
    assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize(
    "other",
    [
        "https://api.openai.com:8443/v1?model=m&key=OPENAI_API_KEY",
        "http://api.openai.com/v1?model=m&key=OPENAI_API_KEY",
        "https://api.openai.com.evil.example/v1?model=m&key=OPENAI_API_KEY",
        "https://api.openai.com/v1?model=m&key=OTHER_API_KEY",
    ],
)
def test_another_port_scheme_host_or_variable_is_another_use(other: str) -> None:
    endpoint_keys.allow(uses_of([parse_arm(OPENAI)]))
    with pytest.raises(KeyNotAllowed):
        endpoint_keys.check([parse_arm(f"x={other}")])


def test_the_path_the_letter_case_and_the_usual_port_make_no_difference() -> None:
    endpoint_keys.allow([parse_use("HTTPS://API.OpenAI.com:443/v2=OPENAI_API_KEY")])
    endpoint_keys.check([parse_arm(OPENAI)])


@pytest.mark.parametrize(
    "content",
    [b"", b"[", b'{"schema": 9, "allowed": {"uses": ["https://api.openai.com=OPENAI_API_KEY"]}}',
     b'{"schema": 1, "allowed": {"uses": "https://api.openai.com=OPENAI_API_KEY"}}'],
)  # fmt: skip
def test_a_list_that_cannot_be_read_allows_nothing_and_is_set_aside(content: bytes) -> None:
    file = state_folder() / "endpoint-keys.json"
    file.write_bytes(content)
    with pytest.raises(KeyNotAllowed):
        endpoint_keys.check([parse_arm(OPENAI)])
    endpoint_keys.allow(uses_of([parse_arm(OPENAI)]))
    endpoint_keys.check([parse_arm(OPENAI)])
    assert [one.read_bytes() for one in state_folder().glob("*.aside")] == [content]


def test_the_list_is_bounded_and_forgets_the_oldest() -> None:
    uses = [KeyUse(f"https://host{number}.example", "A_KEY") for number in range(400)]
    endpoint_keys.allow(uses)
    arms = [parse_arm(f"x={uses[at].address}/v1?model=m&key=A_KEY") for at in (0, 399)]
    assert endpoint_keys.find_unknown(arms) == [uses[0]]


def test_a_folder_that_cannot_be_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FINETOP_STATE", str(tmp_path / "file"))
    with pytest.raises(EngineError, match="cannot be saved"):
        endpoint_keys.allow([KeyUse("https://a.example", "A_KEY")])


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACEHUB_API_TOKEN", "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID", "AZURE_CLIENT_SECRET", "GOOGLE_APPLICATION_CREDENTIALS", "GH_TOKEN",
        "GITHUB_TOKEN", "GITLAB_TOKEN", "SSH_AUTH_SOCK", "MY_PASSWORD", "PGPASSWORD",
        "DATABASE_URL", "APP_DATABASE_URL", "WANDB_API_KEY", "KAGGLE_KEY", "NPM_TOKEN",
        "SECRET_KEY", "hf_token",
    ],
)  # fmt: skip
def test_keys_of_accounts_are_reserved(name: str) -> None:
    assert is_reserved(name)
    use = KeyUse("https://a.example", name)
    with pytest.raises(KeyNotAllowed, match="no file can send it") as caught:
        endpoint_keys.check([parse_arm(f"x=https://a.example/v1?model=m&key={name}")])
    assert caught.value.uses == (use,)


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY", "TOGETHER_API_KEY",
        "GROQ_API_KEY", "MISTRAL_API_KEY", "DEEPSEEK_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY",
        "AZURE_OPENAI_API_KEY", "XAI_API_KEY", "FIREWORKS_API_KEY", "NVIDIA_API_KEY",
        "VLLM_API_KEY", "BOX_KEY", "MY_KEY",
    ],
)  # fmt: skip
def test_keys_of_endpoints_are_not(name: str) -> None:
    assert not is_reserved(name)


def test_the_key_of_an_account_does_not_hide_behind_another_one() -> None:
    arms = [parse_arm(OPENAI), parse_arm("x=https://a.example/v1?model=m&key=HF_TOKEN")]
    with pytest.raises(KeyNotAllowed, match="HF_TOKEN") as caught:
        endpoint_keys.check(arms)
    assert [use.variable for use in caught.value.uses] == ["HF_TOKEN"]


@pytest.mark.parametrize(
    ("address", "is_readable"),
    [
        ("http://box:8000", True), ("http://192.168.0.7", True), ("https://box", False),
        ("http://127.0.0.1:9", False), ("http://127.8.8.8", False), ("http://[::1]:80", False),
        ("http://localhost:8000", False), ("http://api.localhost", False),
        ("http://localhost.evil.example", True),
    ],
)  # fmt: skip
def test_a_key_that_leaves_this_machine_unencrypted_is_warned_of(
    address: str, is_readable: bool
) -> None:
    use = KeyUse(address, "BOX_KEY")
    assert bool(use.warning) is is_readable


@pytest.mark.parametrize("text", ["", "OPENAI_API_KEY", "box=A_KEY", "https://box", "https://b=1x"])
def test_a_flag_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(EngineError, match="needs an address"):
        parse_use(text)


def test_a_key_itself_is_no_name_and_is_never_shown() -> None:
    for key in (
        "hf_abcdefghijklmnopqrstuvwxyz",
        "sk_live0123456789abcdef",
        "a1b2c3d4e5f6a7b8c9d0e1f2",
    ):
        assert is_key(key)
        assert not is_variable(key)
        with pytest.raises(EngineError, match="not the key itself") as caught:
            parse_arm(f"x=https://a.example/v1?model=m&key={key}")
        assert key not in f"{caught.value.title}{caught.value.detail}{caught.value.hint}"
    for name in ("OPENAI_API_KEY", "my_vllm_server_key_2024_dev", "_x"):
        assert is_variable(name)


@pytest.mark.parametrize(
    "arm",
    [
        "x=https://me:hunter22@a.example/v1?model=m",
        "x=https://hunter22@a.example/v1?model=m",
        "x=https://a.example/v1?model=m&api_key=hunter22",
        "x=https://a.example/v1?model=m&token=hunter22",
        "x=https://a.example/v1?model=m&key=sk-hunter22",
        "x=https://a.example/v1%3Fapi_key=hunter22?model=m",
    ],
)
def test_a_secret_that_stands_in_an_arm_is_refused_and_not_repeated(arm: str) -> None:
    with pytest.raises(EngineError) as caught:
        parse_arm(arm)
    assert "hunter22" not in f"{caught.value.title}{caught.value.detail}{caught.value.hint}"


def test_no_worker_agrees_to_anything() -> None:
    folder = Path(endpoint_keys.__file__).parents[1] / "worker"
    writers = {
        path.name
        for path in folder.rglob("*.py")
        for name in ("endpoint_keys.allow", "import allow", "endpoint-keys.json")
        if name in path.read_text()
    }
    assert writers == set()


def test_only_secrets_are_hidden() -> None:
    for text in (OPENAI, "b=/models/a@b?system=Use a token.", "x=run:a@0.5"):
        assert hide_secrets(text) == text
