"""What other tokenizers take for the documents of a file, for tokenizer.py: tokenizer_peers.py PEER TOKENIZER TEXT THREADS ROUNDS IDS

Documents stand between bytes 0x1E. Prints one JSON object: seconds of each round by the wall and by the processors. IDS gets all ids in order.
"""

import json
import os
import sys
import time

peer, tokenizer, text, threads, rounds, ids_file = sys.argv[1:]
os.environ["RAYON_NUM_THREADS"] = threads
os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads != "1" else "false"
data = open(text, "rb").read()
documents = [one.decode() for one in data.split(b"\x1e") if one]


def tokenizers():
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(tokenizer)
    made.encode_special_tokens = True
    return lambda: made.encode_batch_fast(documents, add_special_tokens=False), lambda out: [one.ids for one in out]


def gigatoken():
    import gigatoken

    made = gigatoken.Tokenizer(tokenizer)
    source = gigatoken.BytesSource([data], separator=b"\x1e")
    return lambda: made.encode_batch(source, parallel=threads != "1"), lambda out: out


def tiktoken():
    import tiktoken

    with open(tokenizer, encoding="utf-8") as file:
        content = json.load(file)
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spelled = {chr(byte): byte for byte in visible}
    spelled |= {chr(256 + n): byte for n, byte in enumerate(byte for byte in range(256) if byte not in visible)}
    ranks = {bytes(spelled[c] for c in text): rank for text, rank in content["model"]["vocab"].items()}
    pattern = content["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    made = tiktoken.Encoding("peer", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda: made.encode_ordinary_batch(documents, num_threads=int(threads)), lambda out: out


encode, lists = {"tokenizers": tokenizers, "gigatoken": gigatoken, "tiktoken": tiktoken}[peer]()
wall, processor = [], []
for _ in range(int(rounds)):
    out = None  # freed before the clock starts
    begin, used = time.perf_counter(), time.process_time()
    out = encode()
    wall.append(time.perf_counter() - begin)
    processor.append(time.process_time() - used)

import numpy

with open(ids_file, "wb") as file:
    if peer == "gigatoken":
        import awkward

        file.write(numpy.asarray(awkward.flatten(out)).astype("<u4").tobytes())
    else:
        for ids in lists(out):
            file.write(numpy.array(ids, dtype="<u4").tobytes())
print(json.dumps({"wall": wall, "processor": processor}))
