"""Row R20: targets and shapes that cannot be reached are explained before a weight is read."""

import json

from harness import check, row
from models import new_model


@row("R20")
def explains_what_cannot_be_cut(bench):
    with bench.place() as place:
        model = new_model(place, "model", "heads=4", "kv_heads=2")
        corpus = json.loads(place.run("do", "data.mock", "vocabulary=64", "documents=20", "--json").expect(0).out)
        corpus = corpus["result"]["outputs"]["data"]["path"]
        told = {
            "shape={num_attention_heads:3}": ["num_attention_heads 3: a multiple of 2 up to 4", "nearest: 2 and 4"],
            "shape={hidden_size:64}": ["up to 16", "nearest: 16"],
            "shape={num_layers:5}": ["up to 2", "nearest: 2"],
            "shape={hiden_size:8}": ["did you mean 'hidden_size'?"],
            "shape={hidden_size:9} divisors={hidden_size:3}": ["no multiple of 4 heads"],
            "target={params:1} divisors={hidden_size:8,ffn_hidden_size:8}": ["the smallest reach params"],
            "target={params:1e12}": ["meets the target already"],
        }
        for words, says in told.items():
            result = place.run("do", "prune.minitron", f"model={model}", f"calibration={corpus}", *words.split()).expect(2)
            for said in says:
                result.says(said)
            check("start " not in result.err, f"{words}: something ran before it was refused: {result}")
        place.check_clean()
