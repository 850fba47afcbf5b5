"""Answers of arms as screens show them: asked, compared, listed by pairs, voted on."""
