"""Help: what stands side by side in a row keeps apart."""

from __future__ import annotations

import pytest

from console.screens.help import HelpScreen
from tests.screens.driving import console


@pytest.mark.parametrize("width", [100, 120, 133])
async def test_every_id_stands_whole_and_apart_from_the_sentence_before_it(width: int) -> None:
    app = console()
    async with app.run_test(size=(width, 40)):
        page = HelpScreen("recovery")
        await app.push_screen(page)
        rows = [line for line in page.page(width) if len(line) == 3]
        shown = {id.strip() for *_, (id, _) in rows}
        assert {"pause", "other-capture", "write-loss-list"} <= shown, "whole, as they are remapped by"
        for _, (sentence, _), (id, _) in rows:
            assert id.startswith(" ") or not id.strip(), f"{sentence}{id}"
        assert all(sum(len(text) for text, _ in line) <= width for line in rows)
