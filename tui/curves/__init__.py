"""Curves as screens show them: what is drawn, along which axis, how one looks, what is exported."""
