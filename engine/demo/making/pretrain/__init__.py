"""The script that makes the bundled base model from nothing: `python -m engine.demo.making.pretrain
OUT`.

Loads torch and transformers, so nothing else imports it but its tests.
"""
