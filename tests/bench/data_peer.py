"""JSON lines to a .bin and an .idx as Megatron's preprocessors do it, for data.py: data_peer.py TOKENIZER LINES PREFIX [WORKERS]

A pool of processes, each with the tokenizer of the library tokenizers, which transformers wraps: lines go to them 32 at a time, ids come back and
are given to megatron-core's own IndexedDatasetBuilder in order. The end-of-text id follows each document. Prints one JSON object.
"""

import json
import multiprocessing
import os
import sys
import time
import warnings

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # processes are the parallel part, as there
tokenizer, end = None, None


def open_tokenizer(folder):
    global tokenizer, end
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.encode_special_tokens = True  # names of special tokens are text, as for us
    with open(f"{folder}/tokenizer_config.json", encoding="utf-8") as file:
        token = json.load(file)["eos_token"]
    end = tokenizer.token_to_id(token["content"] if isinstance(token, dict) else token)


def encode(line):
    ids = tokenizer.encode(json.loads(line)["text"]).ids
    if ids:
        ids.append(end)
    return ids


def main():
    folder, lines, prefix = sys.argv[1:4]
    workers = int(sys.argv[4]) if len(sys.argv) > 4 else 2
    warnings.simplefilter("ignore")
    from megatron.core.datasets import indexed_dataset

    open_tokenizer(folder)
    begin = time.perf_counter()
    kind = indexed_dataset.DType.optimal_dtype(tokenizer.get_vocab_size())
    builder = indexed_dataset.IndexedDatasetBuilder(prefix + ".bin", dtype=kind)
    tokens = documents = 0
    with open(lines, encoding="utf-8") as file, multiprocessing.Pool(workers, initializer=open_tokenizer, initargs=(folder,)) as pool:
        for ids in pool.imap(encode, file, 32):
            builder.add_document(ids, [len(ids)] if ids else [])
            tokens, documents = tokens + len(ids), documents + 1
    builder.finalize(prefix + ".idx")
    print(json.dumps({"seconds": time.perf_counter() - begin, "tokens": tokens, "documents": documents}))


if __name__ == "__main__":
    main()
