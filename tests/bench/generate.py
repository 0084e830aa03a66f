"""Recipes of any size, and hostile ones."""


def many_stages(count):
    """A chain of `count` stages, fourteen nodes each: every stage but two trains the one before it."""
    lines = [
        "recipe: many",
        "stages:",
        '  teacher: {use: checkpoint.load, source: "hf:Qwen/Qwen3-0.6B"}',
        "  corpus: {use: data.tokenize, tokenizer: teacher, files: text.jsonl}",
    ]
    before = "teacher"
    for number in range(count - 2):
        name = f"s{number:05}"
        lines.append(f"  {name}:")
        lines.append("    use: train.distill")
        lines.append("    teacher: teacher")
        lines.append(f"    student: {before}")
        lines.append("    data: corpus")
        lines.append("    steps: 1000")
        lines.append(f"    seed: {number}")
        before = name
    lines.append(f"outputs: {{model: {before}}}")
    return "\n".join(lines) + "\n"


ROW, EACH = 100, 3  # of noops


def noops(count):
    """Rows of stages that do nothing, each after three of the row before it."""
    lines = ["recipe: noops", "stages:"]
    for number in range(count):
        row, column = divmod(number, ROW)
        before = ", ".join(f"s{(row - 1) * ROW + (column + k) % ROW:05}" for k in range(EACH))
        after = f", after: [{before}]" if row else ""
        lines.append(f"  s{number:05}: {{use: toy.noop, name: s{number:05}{after}}}")
    return "\n".join(lines) + "\n"


def of_size(size):
    """A recipe of just under `size` bytes: stages, notes in each and references, in constant shares."""
    head = many_stages(2).replace("outputs: {model: teacher}\n", "")
    parts, length, number = [head], len(head), 0
    while True:
        name = f"score{number:05}"
        part = (
            f"  # the score after {number} more rounds, asked the way the last one was asked\n"
            f"  {name}:\n"
            "    use: evaluate.mmlu\n"
            "    model: teacher\n"
            f"    seed: {number}\n"
            f'    x-note: "round {number}: {"what was seen and what was done about it; " * 6}"\n'
            "    x-text: |\n"
            + f"      line by line, number {number}, a block of text that nobody reads twice\n" * 3
        )
        if length + len(part) > size:
            return "".join(parts)
        parts.append(part)
        length += len(part)
        number += 1


def alias_bomb(levels=9, width=9):
    lines = ["x-0: &a0 [" + ", ".join(["lol"] * width) + "]"]
    for level in range(1, levels + 1):
        lines.append(f"x-{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * width) + "]")
    return "\n".join(lines) + "\n"


def merge_bomb(levels=24):
    lines = ["x-0: &a0 {k0: 1}"]
    for level in range(1, levels + 1):
        lines.append(f"x-{level}: &a{level} {{a: *a{level - 1}, b: *a{level - 1}}}")
    return "\n".join(lines) + "\n"


HOSTILE = {
    "100 KB of [": "[" * 100_000,
    "100 000 nested lists": "[" * 100_000 + "]" * 100_000,
    "1 MiB of [": "[" * (1 << 20),
    "100 000 nested maps": "{a: " * 100_000 + "}" * 100_000,
    "1 MiB of '- '": "- " * (1 << 19),
    "1 MiB of '? '": "? " * (1 << 19),
    "alias bomb": alias_bomb(),
    "doubling maps": merge_bomb(),
    "300 000 items": "x: [" + "1," * 300_000 + "1]",
    "1 MiB of one quote": '"' * (1 << 20),
    "1 MiB of &a": "&a " * ((1 << 20) // 3),
    "1 MiB of !": "!" * (1 << 20),
    "100 000 references": "x: '" + "${a." * 100_000 + "'",
    "doubling text": "a0: aaaaaaaaaaaaaaaa\n" + "".join(f'a{n}: "${{a{n - 1}}}${{a{n - 1}}}"\n' for n in range(1, 40)),
}
