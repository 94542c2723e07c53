"""How a stage is worked: how often, on which channel, and what has to be asked before it is left."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from store.domain.lead import Lead


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """``id`` names the field of the lead that keeps the answer; ``options`` can be pressed."""

    id: str
    label: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sop:
    stage: str
    min_score: int = 0
    every: timedelta | None = None
    channel: str = ""
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTask:
    """What is to be done so long after a stage was entered."""

    stage: str
    after: timedelta
    text: str


def sop_for(lead: Lead, sops: Sequence[Sop]) -> Sop | None:
    """The one of the lead's stage that asks for the highest score it has."""
    fitting = [sop for sop in sops if sop.stage == lead.stage and sop.min_score <= lead.score]
    return max(fitting, key=lambda sop: sop.min_score, default=None)


def missing(lead: Lead, sops: Sequence[Sop]) -> Sequence[Question]:
    """What still has to be asked before the lead leaves its stage."""
    sop = sop_for(lead, sops)
    return (
        [q for q in sop.questions if not str(lead.fields.get(q.id) or "").strip()] if sop else []
    )


def find_question(words: str, questions: Sequence[Question]) -> tuple[Question, str] | None:
    """The question that ``words`` begins with, by label or id, and what follows it."""
    folded = words.casefold()
    for question in sorted(questions, key=lambda q: -len(q.label)):
        for name in (question.label, question.id):
            if folded.startswith(name.casefold()):
                return question, _answer(words[len(name) :], question)
    return None


def _answer(rest: str, question: Question) -> str:
    """What follows the label, without the 是 or 为 that only joins them: 预算是20万."""
    said = rest.strip(" ：:，,")
    joined = said[:1] in {"是", "为"} and said[1:].strip(" ：:，,") not in {"", "的", "啊", "吧"}
    return said[1:].strip(" ：:，,") if joined and said not in question.options else said
