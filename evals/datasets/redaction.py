"""Takes what identifies people out of texts, and leaves texts that still hang together.

What is found is replaced by its kind and a number, such as `[email-1]`, the same one wherever the
same thing stands in the texts of one redactor. Patterns find what has a form; nothing here knows
what a text says, so whatever only its meaning gives away stays (`evals/datasets/README.md`).
"""

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import phonenumbers

from harness.errors import HarnessError

KINDS = ("key", "url", "email", "iban", "card", "phone", "ip", "number", "name")
ENTROPY_BITS = 3.5  # of a character; random letters and digits have 4 and more at this length
_DIGITS = 7  # the fewest of a number that is somebody's rather than an amount

# A secret that says what it is: services' own prefixes, what stands behind a word for it, PEM.
_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:sk|pk|rk)[-_][\w-]{16,}"
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|hf_|npm_|pypi-|whsec_|ya29\.|SG\.)[\w.-]{10,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bAIza[\w-]{30,}"
    r"|\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?"
    r"|(?<=[Bb]earer )[\w.~+/=-]{8,}",
    re.DOTALL,
)
_SECRET = re.compile(
    r"\b(?:pass(?:word|wort|phrase|wd)?|pwd|secret|token|api[ _-]?key|pin)\b(?:\s+is)?\s*[:=]?\s*"
    r"(?P<value>[^\s,;]{4,})",
    re.IGNORECASE,
)
_RANDOM = re.compile(r"[\w+/=-]{20,}", re.ASCII)
_URL = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/@<>\"]{1,300}@[^\s<>\"]*[^\s<>\".,;:!?)]"
    r"|\bhttps?://[^\s<>\"]*[?&#](?:[\w-]*(?:token|key|sig|signature|secret|password|auth|code))="
    r"[^\s<>\"]*[^\s<>\".,;:!?)]",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.%+'-]{1,64}@(?:[\w-]{1,63}\.)+[\w-]{2,63}")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]){11,30}\b", re.IGNORECASE | re.ASCII)
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)", re.ASCII)
_IP = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})(?![\w:]|\.\d)",
    re.IGNORECASE | re.ASCII,
)
_NUMBER = re.compile(r"(?<![\w.,])\+?\(?\d(?:[ ()./-]{0,2}\d)+(?!\w|[.,]\d)", re.ASCII)
_NO_NUMBER = re.compile(  # dates, times, decimals
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[ ]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?:[ ]\d{1,2})?"
    r"|\d+\.\d+"
)


def refuse_region(region: str | None) -> None:
    """Refuse a country that there is not.

    Raises:
        HarnessError: its code is unknown.
    """
    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise HarnessError(
            f"--region {region!r} is no country", "Use its two capital letters, such as DE."
        )


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    kind: str
    value: str  # the same for whatever means the same


class Redactor:
    """Redacts the texts of one set.

    Attributes:
        counts: how often something of a kind was replaced.
    """

    def __init__(
        self, names: Iterable[str] = (), keep: Iterable[str] = (), region: str | None = None
    ) -> None:
        """Know nothing yet.

        Args:
            names: of people, as they are written in full; each of their parts is replaced too
                where it begins with a capital letter.
            keep: kinds that are left as they are.
            region: the country whose phone numbers are known without +, such as `DE`.
        """
        self.counts: Counter[str] = Counter()
        self._keep = frozenset(keep)
        self._numbers: dict[tuple[str, str], int] = {}
        self._last: Counter[str] = Counter()
        self._region = region
        self._names = _Names(names)
        self._finders: dict[str, Callable[[str], Iterator[_Span]]] = {
            "key": _keys,
            "url": _simple("url", _URL),
            "email": _simple("email", _EMAIL),
            "iban": _checked("iban", _IBAN, _is_iban),
            "card": _checked("card", _CARD, _is_card),
            "phone": self._phones,
            "ip": _ips,
            "number": _long_numbers,
            "name": self._names.find,
        }

    @property
    def distinct(self) -> dict[str, int]:
        """How many different things of a kind there were."""
        return dict(self._last)

    def name(self, name: str) -> str:
        """What stands for a name that is a value of its own, such as a speaker's."""
        if "name" in self._keep:
            return name
        return self._placeholder("name", self._names.person(name))

    def redact(self, text: str) -> str:
        """The text with everything that was found replaced."""
        out, done = [], 0
        for span in self._spans(text):
            if span.kind not in self._keep:
                out += [text[done : span.start], self._placeholder(span.kind, span.value)]
                done = span.end
        return "".join([*out, text[done:]])

    def _placeholder(self, kind: str, value: str) -> str:
        if (kind, value) not in self._numbers:
            self._last[kind] += 1
            self._numbers[kind, value] = self._last[kind]
        self.counts[kind] += 1
        return f"[{kind}-{self._numbers[kind, value]}]"

    def _spans(self, text: str) -> list[_Span]:
        """What was found, in order and apart: of two that overlap the first kind takes both."""
        found: list[_Span] = []
        for kind in KINDS:
            for span in self._finders[kind](text):
                met = [each for each in found if each.start < span.end and span.start < each.end]
                if any(each.start <= span.start and span.end <= each.end for each in met):
                    continue
                kept = [each for each in met if each.kind in self._keep]
                met = [each for each in met if each not in kept]
                start = min([span.start, *(each.start for each in met)])
                end = max([span.end, *(each.end for each in met)])
                first = met[0].kind if met else kind
                value = text[start:end] if met else span.value
                found = [each for each in found if each not in met and each not in kept]
                found.append(_Span(start, end, first, value))
        return sorted(found, key=lambda each: each.start)

    def _phones(self, text: str) -> Iterator[_Span]:
        if sum(character.isdigit() for character in text) < _DIGITS:
            return
        for match in phonenumbers.PhoneNumberMatcher(text, self._region):
            number = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
            yield _Span(match.start, match.end, "phone", number)


class _Names:
    """Finds people by names that are known."""

    def __init__(self, names: Iterable[str]) -> None:
        self._person: dict[str, str] = {}
        patterns = []
        for name in sorted({" ".join(name.split()) for name in names} - {""}, key=len)[::-1]:
            self._person.setdefault(name.casefold(), name)
            words = r"\s+".join(map(re.escape, name.split()))
            patterns.append(f"(?i:{words})")
        for name in list(self._person.values()):
            for part in name.split():
                if len(part) > 2 and part[0].isupper():
                    self._person.setdefault(part.casefold(), name)
                    patterns.append(re.escape(part))
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)") if patterns else None

    def person(self, written: str) -> str:
        return self._person.get(" ".join(written.split()).casefold(), written)

    def find(self, text: str) -> Iterator[_Span]:
        for match in self._pattern.finditer(text) if self._pattern else ():
            yield _Span(*match.span(), "name", self.person(match[0]))


def _simple(kind: str, pattern: re.Pattern[str]) -> Callable[[str], Iterator[_Span]]:
    def find(text: str) -> Iterator[_Span]:
        for match in pattern.finditer(text):
            yield _Span(*match.span(), kind, match[0].casefold())

    return find


def _keys(text: str) -> Iterator[_Span]:
    for match in _KEY.finditer(text):
        yield _Span(*match.span(), "key", match[0])
    for match in _SECRET.finditer(text):
        if any(character.isdigit() for character in match["value"]):  # else it may be any word
            yield _Span(*match.span("value"), "key", match["value"])
    for match in _RANDOM.finditer(text):
        if _looks_random(match[0]):
            yield _Span(*match.span(), "key", match[0])


def _looks_random(token: str) -> bool:
    """Whether a long token has digits among letters, as evenly as chance has them."""
    letters = [character for character in token if character.isalpha()]
    if not letters or not any(character.isdigit() for character in token):
        return False
    counted = Counter(token)
    bits = -sum(n / len(token) * math.log2(n / len(token)) for n in counted.values())
    mixed = any(each.isupper() for each in letters) and any(each.islower() for each in letters)
    hexadecimal = set(token.casefold()) <= set("0123456789abcdef-")
    return bits >= (ENTROPY_BITS if mixed else 3.0) and (mixed or hexadecimal)


def _checked(
    kind: str, pattern: re.Pattern[str], valid: Callable[[str], bool]
) -> Callable[[str], Iterator[_Span]]:
    """Finds numbers with check digits; what follows one may look as if it belonged to it."""

    def find(text: str) -> Iterator[_Span]:
        start = 0
        while match := pattern.search(text, start):
            start = match.start() + 1
            groups = [match.start() + each.start() for each in re.finditer("[ -]", match[0])]
            for end in (match.end(), *reversed(groups)):
                written = re.sub("[ -]", "", text[match.start() : end]).upper()
                if valid(written):
                    yield _Span(match.start(), end, kind, written)
                    start = end
                    break

    return find


def _is_iban(written: str) -> bool:
    """Whether its check digits are right (ISO 13616: the remainder by 97 is 1)."""
    digits = "".join(str(int(each, 36)) for each in written[4:] + written[:4])
    return len(written) >= 15 and int(digits) % 97 == 1


def _is_card(written: str) -> bool:
    """Whether its last digit checks the others (ISO/IEC 7812-1, the Luhn formula)."""
    digits = [int(each) for each in written]
    doubled = [sum(divmod(2 * each, 10)) for each in digits[-2::-2]]
    return len(digits) >= 13 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _ips(text: str) -> Iterator[_Span]:
    for match in _IP.finditer(text):
        try:
            address = ipaddress.ip_address(match[0])
        except ValueError:
            continue
        if not (address.is_loopback or address.is_unspecified):  # these are everybody's
            yield _Span(*match.span(), "ip", address.compressed)


def _long_numbers(text: str) -> Iterator[_Span]:
    """Numbers of so many digits that they are more likely somebody's than an amount."""
    for match in _NUMBER.finditer(text):
        digits = [each for each in match[0] if each.isdigit()]
        if len(digits) >= _DIGITS and not _NO_NUMBER.fullmatch(match[0]):
            yield _Span(*match.span(), "number", "".join(digits))
