#!/usr/bin/env python3
"""Small tokenizers of each kind, and what the library tokenizers 0.23.3 makes of nasty strings.

sentencepiece 0.2.3 and tiktoken 0.14.0 say what they make of the same strings with NAME.model,
ranks.tiktoken and tekken/tekken.json: NAME.ids.json.

    python make.py        writes NAME.json (a tokenizer) and NAME.cases.json for each NAME here

A case: text, ids with all specials known, ids without specials around and unknown in the text,
bounds of the first in bytes, the first ids decoded, and decoded without specials.
"""

import base64
import io
import json
import pathlib
import tempfile

import sentencepiece
import tiktoken._educational
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
          r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|"
          r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = [r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
            r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"""
            r"|\s*[\r\n]+|\s+(?!\S)|\s+"]
QWEN35 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")

TEXT = [
    "Hello world, hello there. The quick brown fox jumps over the lazy dog; the dog doesn't mind.",
    "I'm sure they'll say it's what we've seen: you'd think we're done, don't you?",
    "The student was cut from the teacher, layer by layer, head by head, and trained again on its words.",
    "Der Hund läuft über die Straße. Où est le café? ¿Qué año es? Ça va très bien.",
    "Привет, мир! Это проверка. Ещё одна строка.", "한국어 문장입니다. 안녕하세요 세계.",
    "日本語の文章です。東京は大きい都市です。", "这是一个中文句子。世界你好。",
    "مرحبا بالعالم ١٢٣", "नमस्ते दुनिया", "def main(args):\n    return [x for x in range(100)]\n",
    "for (int i = 0; i < 12345; ++i) {\n\tsum += i;\n}\r\n", "https://example.org/a/b?c=d&e=f",
    "12 345 6789 2024-05-06 3.14159", "    indented\n\n\n  twice   as   much",
]

CASES = [
    "", " ", "  ", "\t", "\n", "\r\n", " \n ", "a", " a", "a ", "  hi", "hi  ", " hi ", "Hello world", "hello  world",
    "I'M don't 12345", "we'll they'Re it'ſ 'S 'x ''s", "\u00e9 e\u0301 한국어 😀", "a<|im_end|>b </s> c", "a\0b", "<s>",
    "a\r\nb", "   \n  y", "a\n\n\nb\r\n\r\nc", "١٢٣", "ⅷ", "x\u180ey", "x\u3000y", "x\u00a0y", "x\u0085y", "x\u2028y\u2029z",
    "x\u200by\u200dz\ufeff", "a\u0301\u0323 a\u0323\u0301 \u1ea1\u0301", "\u0301start", "가 \u1100\u1161\u11a8 \u1112\u1161\u11ab",
    "\U00011935\U00011930 \u07fd\u0301 \U000114b9\U000114ba", "\u212b \u2126 \ufb01 \u00bd ①", "e\u0301" * 20,
    "👨\u200d👩\u200d👧\u200d👦 👍🏽 🇩🇪🇫🇷", "café naïve façade", "ÀÉÎõü ßẞ İıŞş", "ΑΒΓ αβγς", "Ǆ ǅ ǆ", "ʰx ªº",
    "HTTPServer XMLHttpRequest iPhone", "ABCdefGHI'sJKL", "foo_bar-baz/qux\n//", "a--b-c", "...!?\n\n?!", " ...", "\n...",
    "1 12 123 1234 12345 1234567", "a12ⅷ٣b", "x²y₃", "   leading", "trailing   ", "tab\tand  space \t mix",
    "<|im|>", "<|im_end|>", "<|im_start|>user\nHi<|im_end|>\n", "x <|im_end|> y", "<|im_en", "<|im_end|", "<|im_end|><|im_end|>",
    "<think>why</think>", " <tool>  x", "x<tool>y", "word", "a word b", "swords", "word!", "the  <mask>  end", "▁a b  c▁▁d",
    "_x_", "Ġ Ċ ġ", "<0x41><0xE6>", "日本 語", "中文abc文中", "नमस्ते क्षत्रिय", "ภาษาไทย ก็", "עִבְרִית", "aéé日b", "\x01\x02\x7f\x80",
    "\ufffd", "\U0010ffff", "\ud7ff\ue000", "a" * 300, " " * 100, "\n" * 50, "😀" * 30, "中" * 60, "ab" * 100, "<|im_end|>" * 5,
    "don't can't won't", "x.y,z;w", "say \"hi\" (now) [a] {b}", "$5.00 €6 ¥7", "a\u0300\u0301\u0302\u0303\u0304b",
    "ﬀ ﬁ ﬂ ﬃ", "㎏ ㍿", "ｆｕｌｌ　ｗｉｄｔｈ", "q\u0307\u0323 \u1e9b\u0323", "\u1e69 s\u0323\u0307 s\u0307\u0323",
]
SPECIALS = [AddedToken("<s>", special=True, normalized=False), AddedToken("</s>", special=True, normalized=False),
            AddedToken("<unk>", special=True, normalized=False)]
ADDED = [AddedToken("<|im|>", special=True, normalized=False), AddedToken("<|im_end|>", special=True, normalized=False),
         AddedToken("<|im_start|>", special=True, normalized=False), AddedToken("<think>", special=False, normalized=False),
         AddedToken("</think>", special=False, normalized=True), AddedToken("<tool>", special=False, normalized=False, rstrip=True),
         AddedToken("<mask>", special=True, normalized=False, lstrip=True), AddedToken("word", special=False, normalized=True, single_word=True)]


def template(tokenizer, front, back=()):
    items = [*front, "$A", *back]
    return processors.TemplateProcessing(single=" ".join(items), pair=" ".join(items + ["$B"]),
                                         special_tokens=[(t, tokenizer.token_to_id(t)) for t in {*front, *back}])


def train(tokenizer, trainer, rounds=1):
    tokenizer.train_from_iterator(TEXT * rounds, trainer)
    return tokenizer


def byte_level(splits, nfc, size=500, prefix_space=False, use_regex=False, individual=None):
    tokenizer = Tokenizer(models.BPE())
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    steps = [pre_tokenizers.Split(Regex(p), "isolated") for p in splits]
    if individual is not None:
        steps.append(pre_tokenizers.Digits(individual))
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=prefix_space, use_regex=use_regex))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    train(tokenizer, trainers.BpeTrainer(vocab_size=size, show_progress=False,
                                         initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_tokens(SPECIALS + ADDED)
    return tokenizer


def llama3():
    tokenizer = byte_level([LLAMA3], False)
    data = json.loads(tokenizer.to_str())
    data["model"]["ignore_merges"] = True
    data["model"]["merges"] = [" ".join(pair) for pair in data["model"]["merges"]]
    data["model"]["vocab"]["Ġunmergeable"] = len(data["model"]["vocab"])
    for token in data["added_tokens"]:
        token["id"] += 1
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template(tokenizer, ["<s>"])])
    return tokenizer


def sentencepiece_bpe():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    data_trainer = trainers.BpeTrainer(vocab_size=700, show_progress=False, limit_alphabet=60,
                                       special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)])
    # Words of one blank, as SentencePiece trains.
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    train(tokenizer, data_trainer)
    tokenizer.pre_tokenizer = None
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [t for t in data["added_tokens"] if not t["content"].startswith("<0x")]
    for token in data["added_tokens"]:
        token["normalized"] = False
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.add_tokens(ADDED)
    tokenizer.post_processor = template(tokenizer, ["<s>"], ["</s>"])
    return tokenizer


def unknown_bytes():
    """byte_fallback without one byte, so that an unknown waits while bytes overtake it."""
    names = ["a", "<unk>"] + [f"<0x{b:02X}>" for b in range(256) if b != 0xC3]
    tokenizer = Tokenizer(models.BPE({name: i for i, name in enumerate(names)}, [], unk_token="<unk>", fuse_unk=True,
                                     byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def no_unknown():
    """What is not in the vocabulary is dropped; suffixes mark the ends of words."""
    tokenizer = Tokenizer(models.BPE(unk_token=None, continuing_subword_prefix="##", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(),
                                                 normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    tokenizer.decoder = decoders.BPEDecoder()
    train(tokenizer, trainers.BpeTrainer(vocab_size=300, show_progress=False, limit_alphabet=40,
                                         continuing_subword_prefix="##", end_of_word_suffix="</w>"))
    return tokenizer


def metaspace_bpe():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=False))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    train(tokenizer, trainers.BpeTrainer(vocab_size=400, show_progress=False, limit_alphabet=60, special_tokens=["<unk>"]))
    tokenizer.add_tokens(ADDED)
    return tokenizer


RULES = "41\t61\n42\t62\nFB01\t66 69\n65 301\tE9\nFF41 FF42\t78\nAB\t\n1F1E9 1F1EA\t64 65\n3000\t20\nA0\t20\n9\t20\n"


def sentencepiece_model(kind, **more):
    """A .model's bytes: few rules of rewriting, so that its charsmap is small."""
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write(RULES)
        rules.flush()
        out = io.BytesIO()
        settings = dict(vocab_size=500, character_coverage=0.98, hard_vocab_limit=False, byte_fallback=True, num_threads=1, minloglevel=2)
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXT * 3), model_writer=out, model_type=kind,
                                                 normalization_rule_tsv=rules.name, **(settings | more))
        return out.getvalue()


def unigram():
    proto = sentencepiece_model_pb2.ModelProto.FromString(sentencepiece_model("unigram"))
    tokenizer = Tokenizer(models.Unigram([(p.piece, p.score) for p in proto.pieces], unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap),
                                                 normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="always")])
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.add_tokens(ADDED)
    tokenizer.post_processor = template(tokenizer, [], ["</s>"])
    return tokenizer


def unigram_unknown():
    """Without bytes: what is unknown is fused."""
    proto = sentencepiece_model_pb2.ModelProto.FromString(sentencepiece_model("unigram", byte_fallback=False, vocab_size=250))
    tokenizer = Tokenizer(models.Unigram([(p.piece, p.score) for p in proto.pieces], unk_id=0, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="first")])
    tokenizer.normalizer = normalizers.Nmt()
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    return tokenizer


def bert():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=20))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    train(tokenizer, trainers.WordPieceTrainer(vocab_size=350, show_progress=False, limit_alphabet=80,
                                               special_tokens=["[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    tokenizer.add_tokens(ADDED)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", tokenizer.token_to_id("[SEP]")),
                                                         ("[CLS]", tokenizer.token_to_id("[CLS]")))
    return tokenizer


def mixed_splits():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.NFKD()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(False),
                                                       pre_tokenizers.CharDelimiterSplit("e"), pre_tokenizers.FixedLength(7),
                                                       pre_tokenizers.Split("o", "merged_with_previous"),
                                                       pre_tokenizers.Split("i", "merged_with_next"),
                                                       pre_tokenizers.Split("s", "contiguous"),
                                                       pre_tokenizers.Split(Regex("[a-d]+"), "removed", invert=False),
                                                       pre_tokenizers.Split(Regex(r"\w"), "isolated", invert=True)])
    tokenizer.decoder = decoders.CTC(pad_token="[UNK]", word_delimiter_token="l")
    train(tokenizer, trainers.WordPieceTrainer(vocab_size=200, show_progress=False, limit_alphabet=60, special_tokens=["[UNK]"]))
    tokenizer.add_tokens(ADDED)
    return tokenizer


def scripts():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.UnicodeScripts()
    tokenizer.decoder = decoders.Fuse()
    train(tokenizer, trainers.BpeTrainer(vocab_size=220, show_progress=False, limit_alphabet=120, special_tokens=["<unk>"]))
    tokenizer.add_tokens(ADDED)
    return tokenizer


def roberta():
    tokenizer = byte_level([], False, use_regex=True)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", tokenizer.token_to_id("</s>")), ("<s>", tokenizer.token_to_id("<s>")))
    return tokenizer


MAKERS = {
    "unigram": unigram,
    "unigram_unknown": unigram_unknown,
    "bert": bert,
    "mixed_splits": mixed_splits,
    "scripts": scripts,
    "roberta": roberta,
    "llama3": llama3,
    "qwen35": lambda: byte_level([QWEN35], True),
    "o200k": lambda: byte_level([O200K], False),
    "deepseek": lambda: byte_level(DEEPSEEK, False),
    "smollm": lambda: byte_level([], False, use_regex=True, individual=True),
    "gpt2": lambda: byte_level([], False, use_regex=True, prefix_space=True),
    "sentencepiece_bpe": sentencepiece_bpe,
    "unknown_bytes": unknown_bytes,
    "no_unknown": no_unknown,
    "metaspace_bpe": metaspace_bpe,
}


def byte_bounds(text, offsets):
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return [[at[a], at[b]] for a, b in offsets]


def ranked():
    """Files of ranked tokens, by tiktoken's own rule."""
    ranks = tiktoken._educational.bpe_train("\n".join(TEXT), 420, LLAMA3)
    (HERE / "ranks.tiktoken").write_text("".join(f"{base64.b64encode(t).decode()} {r}\n" for t, r in ranks.items()))
    write_plain("ranks", tiktoken.Encoding("ranks", pat_str=LLAMA3, mergeable_ranks=ranks, special_tokens={}).encode, None)
    specials = 6
    tekken = {"config": {"pattern": TEKKEN, "num_vocab_tokens": len(ranks), "default_vocab_size": len(ranks) + specials - 3,
                         "default_num_special_tokens": specials, "version": "v7"},
              "vocab": [{"rank": r, "token_bytes": base64.b64encode(t).decode(), "token_str": None} for t, r in ranks.items()],
              "special_tokens": [{"rank": i, "token_str": t, "is_control": True} for i, t in enumerate(["<unk>", "<s>", "</s>", "[INST]"])]}
    folder = HERE / "tekken"
    folder.mkdir(exist_ok=True)
    (folder / "tekken.json").write_text(json.dumps(tekken, separators=(",", ":")) + "\n")
    kept = {t: r for t, r in ranks.items() if r < len(ranks) - 3}
    encoding = tiktoken.Encoding("tekken", pat_str=TEKKEN, mergeable_ranks=kept, special_tokens={})
    write_plain("tekken", lambda text: [i + specials for i in encoding.encode(text, disallowed_special=())], None)


def write_plain(name, encode, decode):
    """[text, ids, decoded or null]"""
    rows = []
    for text in CASES:
        ids = encode(text)
        rows.append(json.dumps([text, ids, decode(ids) if decode else None], separators=(",", ":")))
    (HERE / f"{name}.ids.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")


def sentencepiece_files():
    for name, kind, more in (("sp_unigram", "unigram", {}), ("sp_bpe", "bpe", {"user_defined_symbols": ["<tool>", "ab"]}),
                             ("sp_plain", "unigram", {"byte_fallback": False, "remove_extra_whitespaces": False, "add_dummy_prefix": False}),
                             ("sp_suffix", "bpe", {"byte_fallback": False, "treat_whitespace_as_suffix": True})):
        proto = sentencepiece_model_pb2.ModelProto.FromString(sentencepiece_model(kind, **more))
        if kind == "bpe":  # pieces that are divided again
            for piece in proto.pieces[300:420:7]:
                if piece.type == 1 and len(piece.piece) > 1:
                    piece.type = 5
        proto.trainer_spec.ClearField("input")
        (HERE / f"{name}.model").write_bytes(proto.SerializeToString())
        processor = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
        write_plain(name, processor.encode, processor.decode)


def truncated():
    """truncated.json: [tokenizer, text, limit, cut at the begin, ids, bounds]"""
    rows = []
    for name in ("llama3", "qwen35", "roberta", "sentencepiece_bpe"):
        tokenizer = Tokenizer.from_file(str(HERE / f"{name}.json"))
        for text in CASES[::4]:
            for limit in (2, 3, 5, 9):
                for direction in ("right", "left"):
                    tokenizer.enable_truncation(limit, direction=direction)
                    made = tokenizer.encode(text)
                    rows.append(json.dumps([name, text, limit, direction == "left", made.ids, byte_bounds(text, made.offsets)], separators=(",", ":")))
    (HERE / "truncated.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")


def main():
    ranked()
    sentencepiece_files()
    for name, make in MAKERS.items():
        tokenizer = make()
        data = json.loads(tokenizer.to_str())
        (HERE / f"{name}.json").write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n")
        tokenizer = Tokenizer.from_file(str(HERE / f"{name}.json"))
        rows = []
        for text in CASES:
            full = tokenizer.encode(text)
            tokenizer.encode_special_tokens = True
            plain = tokenizer.encode(text, add_special_tokens=False)
            tokenizer.encode_special_tokens = False
            rows.append([text, full.ids, plain.ids, byte_bounds(text, full.offsets),
                         tokenizer.decode(full.ids, skip_special_tokens=False), tokenizer.decode(full.ids, skip_special_tokens=True)])
        lines = ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in rows)
        (HERE / f"{name}.cases.json").write_text(f"[\n{lines}\n]\n")
    truncated()


main()
