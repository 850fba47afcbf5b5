"""What Browse asks for and leads to: filters, orders, arms, notes, numbers, votes, export."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

from engine.compare import export, votes
from engine.compare.annotations import LONGEST, Remark
from engine.compare.answer_pairs import AnswerPair, of_job
from engine.compare.metrics import MEASURES
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.text import one_line
from tui.browse.answers_feed import Answers, AnswersExported, WriteQueue
from tui.browse.pair_list import COMMON, DIRECTIONS, SHOWN, View, passes, shown_in_words, skills
from tui.screens.dialogs import ErrorDialog
from tui.screens.page import SubPage
from tui.screens.prompts import Ask, Choose, Offer


class BrowseActions(SubPage):
    """Subclasses list and show the pairs."""

    path: Path
    answers: Answers
    view: View
    write_queue: WriteQueue

    @property
    def pair(self) -> AnswerPair | None:
        raise NotImplementedError

    def change_view(self, **changes: object) -> None:
        raise NotImplementedError

    def take_arms(self, left: str, right: str) -> None:
        raise NotImplementedError

    def remark(self, prompt: str, remark: Remark) -> None:
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("read", "mark", "note", "turn_marks", "turn_pair", "pair_numbers"):
            return self.ready and self.pair is not None
        if action in ("turn_difference", "choose_shown", "choose_sort", "numbers", "export"):
            return bool(self.answers.pairs)
        if action == "vote":
            return any(pair.differs for pair in self.answers.pairs)
        if action == "shift":
            return self.ready and self.pair is not None and len(self.answers.arms) > 1
        if action == "choose_arms":
            return len(self.answers.arms) > 1
        if action == "choose_skill":
            return len(skills(self.answers)) > 1 or self.view.skill is not None
        if action == "turn_direction":
            return self.view.sort not in ("", COMMON)
        return super().check_action(action, parameters)

    def refuse(self, error: EngineError) -> None:
        self.app.push_screen(ErrorDialog(error))

    def action_choose_shown(self) -> None:
        offers = []
        for name in SHOWN:
            wanted = dataclasses.replace(self.view, shown=name)
            count = sum(passes(self.answers, pair, wanted) for pair in self.answers.pairs)
            offers.append(Offer(name, shown_in_words(self.answers, name), _pairs(count)))
        self._choose("show", offers, self.view.shown, lambda key: self.change_view(shown=key))

    def action_choose_skill(self) -> None:
        found = skills(self.answers)
        offers = [Offer("*", "all", _pairs(len(self.answers.pairs)))]
        offers += [Offer(f"={name}", name or "none", _pairs(n)) for name, n in found.items()]
        chosen = "*" if self.view.skill is None else f"={self.view.skill}"
        self._choose(
            "skill",
            offers,
            chosen,
            lambda key: self.change_view(skill=None if key == "*" else key[1:]),
        )

    def action_choose_sort(self) -> None:
        known = {name for pair in self.answers.pairs for name in pair.left_numbers}
        offers = [
            Offer("", "as they were asked"),
            Offer(COMMON, COMMON, "fewest first"),
            *(Offer(one.name, one.name, one.group) for one in MEASURES if one.name in known),
        ]
        self._choose("sort by", offers, self.view.sort, lambda key: self.change_view(sort=key))

    def action_turn_direction(self) -> None:
        self.change_view(direction=(self.view.direction + 1) % len(DIRECTIONS))

    def action_choose_arms(self) -> None:
        arms, named = self.answers.arms, self.answers.names
        between = f" {self.glyphs.arrow} "
        offers = [
            Offer(f"{arms.index(one)} {arms.index(other)}", named[one] + between + named[other])
            for one in arms
            for other in arms
            if one != other
        ]
        chosen = f"{arms.index(self.answers.left)} {arms.index(self.answers.right)}"

        def take(key: str) -> None:
            left, right = key.split()
            self.take_arms(arms[int(left)], arms[int(right)])

        self._choose("compare", offers, chosen, take)

    def action_note(self) -> None:
        pair = self.pair
        if pair is None:
            return
        now = self.answers.remarks.get(pair.id, Remark())

        def take(text: str | None) -> None:
            if text is not None:
                self.remark(pair.id, dataclasses.replace(now, note=text))

        title = f"A note on {one_line(pair.id)}; empty takes it away"
        self.app.push_screen(Ask(title, now.note, "a note", LONGEST), take)

    def action_numbers(self) -> None:
        from tui.browse.metrics_page import MetricsPage

        self.app.push_screen(MetricsPage(self.answers, self._open_drivers))

    def action_pair_numbers(self) -> None:
        from tui.browse.metrics_page import MetricsPage

        if self.pair is not None:
            alone = dataclasses.replace(self.answers, pairs=(self.pair,))
            self.app.push_screen(MetricsPage(alone, self._open_drivers))

    def action_shift(self) -> None:
        from tui.browse.shift_page import ShiftPage

        if self.pair is not None:
            names = self.answers.names
            arms = names[self.answers.left], names[self.answers.right]
            self.app.push_screen(ShiftPage(self.pair, arms))

    def action_vote(self) -> None:
        from tui.browse.vote_page import VotePage

        self.app.push_screen(VotePage(self.path, self.answers))

    def action_export(self) -> None:
        def take(text: str | None) -> None:
            if text:
                self._export(Path(os.path.expanduser(text)).absolute())

        title = "Export to a file; its ending says how: .md .csv .jsonl .html .json"
        hint = "answers.html; .json is for LLM Comparator"
        self.app.push_screen(Ask(title, "", hint), take)

    def _open_drivers(self, measure: str, prompts: tuple[str, ...]) -> None:
        """List the pairs behind a row of the numbers, those that drive it most first."""
        sort = measure if any(one.name == measure for one in MEASURES) else ""
        self.change_view(sort=sort, direction=0, shown="", skill=None, chosen=prompts)

    def _export(self, path: Path) -> None:
        """All arms; for LLM Comparator, which shows two, those that are looked at."""
        answers, folder = self.answers, self.path

        def write() -> AnswersExported:
            export.check(path)
            found = of_job(JobDirectory(folder))
            found.poll()
            two = path.suffix == ".json"
            arms = [answers.left, answers.right] if two else list(answers.arms)
            judges = votes.judges_of(folder) if two else {}
            cast = [vote for each in judges.values() for vote in each]
            scores = votes.scores(cast, answers.left, answers.right)
            samples = [one for arm in arms for one in found.of(arm)]
            skills = {one.prompt_id: found.prompt(one).skill for one in samples}
            export.write(path, samples, scores, skills)
            return AnswersExported(f"Wrote {one_line(str(path))}")

        self.write_queue.put(write)

    def _choose(
        self, title: str, offers: list[Offer], chosen: str, take: Callable[[str], None]
    ) -> None:
        def taken(key: str | None) -> None:
            if key is not None:
                take(key)

        self.app.push_screen(Choose(title, offers, chosen), taken)


def _pairs(count: int) -> str:
    return f"{count:,} pair{'s' * (count != 1)}"
