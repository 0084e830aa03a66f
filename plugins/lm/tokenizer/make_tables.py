#!/usr/bin/env python3
"""Writes unicode_data.inc: what the tokenizer knows of Unicode, as runs and lists.

Run with unicodedata2 16.0.0, regex 2024.11.6 (both Unicode 16), tokenizers 0.23.3 and perl 5.36:
    python make_tables.py > unicode_data.inc

Categories, letters and case are Unicode 16. Normal forms are Unicode 9, as in the library that
published ids come from: a code point assigned later decomposes into nothing and has no class.
Decompositions and classes never change once assigned, so the newer data cut down by age is the
older. Which old marks, controls and punctuation the BERT parts know is asked of the library.
"""

import subprocess
import sys

import regex
import unicodedata2 as unicodedata
from tokenizers import normalizers, pre_tokenizers

assert unicodedata.unidata_version == "16.0.0"
CATEGORIES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn").split()
LAST = 0x110000
POINTS = [c for c in range(LAST) if not 0xD800 <= c < 0xE000]


def runs(value_of):
    """(first code point, value) wherever the value changes."""
    out, before = [], None
    for c in range(LAST):
        value = value_of(c)
        if value != before:
            out.append((c, value))
            before = value
    return out


def emit(kind, name, numbers, per_line_width=100):
    print(f"constexpr {kind} {name}[] = {{")
    line = "   "
    for number in numbers:
        word = f" {number:#x}," if number > 9 else f" {number},"
        if len(line) + len(word) > per_line_width:
            print(line)
            line = "   "
        line += word
    print(line)
    print("};\n")


def members(points):
    points = set(points)
    flat = []
    for c, inside in runs(lambda c: c in points):
        if flat or inside:
            flat.append(c)
    return flat


def in_unicode_9():
    """Ranges by perl, whose table of ages reaches 14."""
    script = "for (0..0x10ffff) { next if $_ >= 0xd800 && $_ < 0xe000; print \"$_\\n\" if chr($_) =~ /\\p{Present_In: 9.0}/ }"
    return set(map(int, subprocess.run(["perl", "-e", script], capture_output=True, text=True, check=True).stdout.split()))


def categories():
    alphabetic = regex.compile(r"\p{Alphabetic}")
    order = {name: index for index, name in enumerate(CATEGORIES)}

    def value(c):
        char = chr(c)
        letter = not 0xD800 <= c < 0xE000 and bool(alphabetic.match(char))
        return order[unicodedata.category(char)] | (0x20 if letter else 0)

    print("// First code point of a run << 8 | Alphabetic 0x20 | index of its category:")
    print("// " + " ".join(CATEGORIES))
    emit("std::uint32_t", "kCategoryRuns", [c << 8 | v for c, v in runs(value)])


def normal_forms(old):
    known = lambda c: c in old
    print("// First code point of a run << 8 | canonical combining class")
    emit("std::uint32_t", "kClassRuns",
         [c << 8 | v for c, v in runs(lambda c: unicodedata.combining(chr(c)) if known(c) else 0)])
    canonical, compatible, pairs = [], [], []
    for c in POINTS:
        if not known(c) or 0xAC00 <= c < 0xD7A4:
            continue
        full = unicodedata.normalize("NFD", chr(c))
        compat = unicodedata.normalize("NFKD", chr(c))
        if full != chr(c):
            canonical += [c | len(full) << 24] + [ord(x) for x in full]
        if compat != full:
            compatible += [c | len(compat) << 24] + [ord(x) for x in compat]
        step = unicodedata.decomposition(chr(c))
        if step and step[0] != "<":
            parts = [int(x, 16) for x in step.split()]
            if len(parts) == 2 and unicodedata.normalize("NFC", chr(parts[0]) + chr(parts[1])) == chr(c):
                pairs.append((parts[0], parts[1], c))
    print("// Code point | length << 24, then its whole canonical decomposition")
    emit("std::uint32_t", "kCanonical", canonical)
    print("// The same by compatibility, where that is another")
    emit("std::uint32_t", "kCompatible", compatible)
    print("// First, second, what they compose to; sorted")
    emit("std::uint32_t", "kCompositions", [x for pair in sorted(pairs) for x in pair])


def lower_case():
    lower = normalizers.Lowercase()
    flat = []
    run = None  # first, last, step, delta

    def close():
        if run:
            flat.extend([run[0], run[1] | (0x80000000 if run[2] == 2 else 0), run[3] & 0xFFFFFFFF])

    for c in POINTS:
        text = lower.normalize_str(chr(c))
        if text == chr(c):
            continue
        if len(text) != 1:
            assert c == 0x130
            continue
        delta = ord(text) - c
        if run and delta == run[3] and c - run[1] in (1, 2) and (run[0] == run[1] or c - run[1] == run[2]):
            run = [run[0], c, c - run[1], delta]
        else:
            close()
            run = [c, c, 1, delta]
    close()
    print("// First, last (every second one: 0x80000000), what to add")
    emit("std::uint32_t", "kLowerRuns", flat)


def of_the_library():
    accents = normalizers.StripAccents()
    clean = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    nonspacing = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
    punctuation = pre_tokenizers.Punctuation()
    print("// Members, as borders between outside and inside: marks, the marks and the controls that BERT")
    print("// drops, its punctuation and what Digits splits, as the library's parts know them")
    emit("std::uint32_t", "kOldMarks", members(c for c in POINTS if accents.normalize_str("x" + chr(c)) == "x"))
    emit("std::uint32_t", "kNonspacing", members(c for c in POINTS if nonspacing.normalize_str("x" + chr(c)) == "x"))
    emit("std::uint32_t", "kDropped", members(c for c in POINTS if clean.normalize_str("x" + chr(c)) == "x"))
    digits = pre_tokenizers.Digits(True)
    emit("std::uint32_t", "kNumeric", members(c for c in POINTS if len(digits.pre_tokenize_str("a" + chr(c) + "a")) > 1))
    emit("std::uint32_t", "kOldPunctuation",
         members(c for c in POINTS if len(punctuation.pre_tokenize_str("a" + chr(c) + "a")) > 1))


def scripts():
    """Which code points UnicodeScripts leaves together: asked of the library pair by pair, as its names are not told. 0 goes with all."""
    split = pre_tokenizers.UnicodeScripts()

    def together(a, b):
        return len(split.pre_tokenize_str(chr(a) + chr(b))) == 1

    classes = []  # the first code point of each

    def value(c):
        if 0xD800 <= c < 0xE000:
            return None
        if together(0x61, c) and together(0x4E00, c):
            return 0
        for index in ([last[0]] if last[0] else []) + list(range(1, len(classes) + 1)):
            if together(classes[index - 1], c):
                last[0] = index
                return index
        classes.append(c)
        last[0] = len(classes)
        return last[0]

    last = [0]
    print("// First code point of a run << 8 | its script as UnicodeScripts knows it; 0 goes with all")
    emit("std::uint32_t", "kScriptRuns", [c << 8 | v for c, v in runs(value) if v is not None])
    assert len(classes) < 256


def graphemes():
    classes = "Prepend CR LF Control Extend Regional_Indicator SpacingMark L V T LV LVT ZWJ".split()
    tests = [regex.compile(r"\p{GCB=%s}" % name) for name in classes]
    pictographic = regex.compile(r"\p{Extended_Pictographic}")
    conjunct = [regex.compile(r"\p{InCB=%s}" % name) for name in ("Consonant", "Extend", "Linker")]

    def value(c):
        if 0xD800 <= c < 0xE000:
            return 4
        char = chr(c)
        found = 0
        for index, test in enumerate(tests):
            if test.match(char):
                found = index + 1
        if pictographic.match(char):
            found |= 0x10
        for index, test in enumerate(conjunct):
            if test.match(char):
                found |= (index + 1) << 5
        return found

    print("// First code point of a run << 8 | InCB << 5 (Consonant Extend Linker) | pictographic 0x10 | 1 + index of")
    print("// " + " ".join(classes))
    emit("std::uint32_t", "kGraphemeRuns", [c << 8 | v for c, v in runs(value)])


def main():
    print("// Written by make_tables.py: Unicode 16.0.0, normal forms 9.0.0. Not to be edited.")
    print("// clang-format off")
    categories()
    normal_forms(in_unicode_9())
    lower_case()
    of_the_library()
    graphemes()
    scripts()


main()
