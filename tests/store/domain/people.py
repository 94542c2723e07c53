"""A store of people in a dictionary: what the database does for the matching rule, in memory."""

from dataclasses import dataclass, field, replace

from store.domain.match import Ask, Key, Known, New, Same, decide, keys

BLANKS = ("name", "email", "wechat", "external_userid", "company")


@dataclass
class People:
    leads: dict[int, Known] = field(default_factory=dict)
    index: dict[Key, list[int]] = field(default_factory=dict)
    asked: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def capture(self, new):
        """The lead's number, and what the rule said."""
        found = {lead for key in keys(new) for lead in self.index.get(key, ())}
        verdict = decide(new, [self.leads[lead] for lead in sorted(found)])
        lead = verdict.lead_id if isinstance(verdict, Same) else len(self.leads) + 1
        if isinstance(verdict, Ask):
            self.asked[lead] = verdict.lead_ids
        self.remember(lead, new)
        return lead, verdict

    def remember(self, lead, new):
        known = self.leads.get(lead, Known(lead_id=lead))
        filled = {name: getattr(known, name) or getattr(new, name) for name in BLANKS}
        if new.phone and not known.phone:
            filled |= {"phone": new.phone, "phone_sure": new.phone_sure}
        more = tuple(dict.fromkeys((*known.more, *keys(new))))
        self.leads[lead] = replace(known, **filled, more=more)
        for key in keys(new):
            if lead not in self.index.setdefault(key, []):
                self.index[key].append(lead)


__all__ = ["Ask", "New", "People", "Same"]
