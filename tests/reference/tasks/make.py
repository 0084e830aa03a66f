"""What lm-eval 0.4.13 (transformers 5.17, torch 2.11, fp32 on a CPU) answers: make.py MODEL MMLU PER_SUBJECT OUT.json [SHOTS ...]

MODEL is a Hugging Face folder, MMLU a folder of CSV files with a header. The first PER_SUBJECT questions of five subjects are asked after each
number of SHOTS (0 and 5), by lm-eval's own task, and, without examples, by NVIDIA's pruning example (prompt `reference`: its rule, plainly
written here with transformers). Then small files of HellaSwag's, ARC's and WinoGrande's kind (tasks/*.jsonl beside this file), by the rules of
lm-eval's tasks. OUT holds a letter a question and the log-likelihoods. Offline: nothing comes from a hub.
"""

import csv
import json
import os
import pathlib
import sys
import tempfile

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

import lm_eval  # noqa: E402
import torch  # noqa: E402
from lm_eval.api.task import ConfigurableTask  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402
from lm_eval.tasks.hellaswag import utils as hellaswag  # noqa: E402
from lm_eval.tasks.winogrande import preprocess_winogrande as winogrande  # noqa: E402

SUBJECTS = ["abstract_algebra", "global_facts", "high_school_us_history", "marketing", "moral_scenarios"]
HERE = pathlib.Path(__file__).parent
ITEM = "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:"


def rows_of(mmlu, split, subject):
    with open(f"{mmlu}/{split}/{subject}_{split}.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield {"question": row["question"], "choices": [row[f"choice{i}"] for i in range(4)], "answer": int(row["answer"])}


def written(rows, path):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def mmlu_task(folder, mmlu, subject, count, shots):
    test = written(list(rows_of(mmlu, "test", subject))[:count], folder / f"{subject}.test.jsonl")
    dev = written(rows_of(mmlu, "dev", subject), folder / f"{subject}.dev.jsonl")
    about = subject.replace("_", " ")
    return ConfigurableTask(config={
        "task": f"mmlu_{subject}", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": test, "dev": dev}},
        "test_split": "test", "fewshot_split": "dev", "fewshot_config": {"sampler": "first_n"}, "num_fewshot": shots,
        "description": f"The following are multiple choice questions (with answers) about {about}.\n\n",
        "output_type": "multiple_choice", "doc_to_text": ITEM, "doc_to_choice": ["A", "B", "C", "D"], "doc_to_target": "answer",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}], "metadata": {"version": 1.0},
    })  # fmt: skip


def file_task(name, **config):
    data = {"test": str(HERE / "files" / f"{name}.jsonl")}
    metrics = [{"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in ("acc", "acc_norm", "acc_bytes")]
    return ConfigurableTask(config={
        "task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": data}, "test_split": "test", "output_type": "multiple_choice",
        "metric_list": metrics[: 1 if name == "winogrande" else 3], "metadata": {"version": 1.0}, **config,
    })  # fmt: skip


def file_tasks():
    return [
        file_task("hellaswag", process_docs=hellaswag.process_docs, doc_to_text="{{query}}", doc_to_target="{{label}}", doc_to_choice="choices"),
        file_task("arc", doc_to_text="Question: {{question}}\nAnswer:", doc_to_target="{{choices.label.index(answerKey)}}",
                  doc_to_choice="{{choices.text}}"),
        file_task("winogrande", doc_to_text=winogrande.doc_to_text, doc_to_target=winogrande.doc_to_target, doc_to_choice=winogrande.doc_to_choice),
    ]  # fmt: skip


def asked(model, tasks):
    """Of each task: letters, log-likelihoods, metrics."""
    done = lm_eval.simple_evaluate(model=model, tasks=tasks, log_samples=True, bootstrap_iters=0)
    out = {}
    for name, samples in done["samples"].items():
        samples.sort(key=lambda one: one["doc_id"])
        logs = [[float(one[0]) for one in sample["filtered_resps"]] for sample in samples]
        letters = "".join("ABCDEFGH"[max(range(len(row)), key=row.__getitem__)] for row in logs)
        numbers = {key.split(",")[0]: value for key, value in done["results"][name].items() if key.startswith("acc") and "stderr" not in key}
        out[name] = {"answers": letters, "logs": [[round(one, 4) for one in row] for row in logs], **numbers}
    return out


def by_the_reference(model, mmlu, subject, count):
    """Prompt and scoring of NVIDIA's pruning example, one question a pass."""
    ids = [model.tokenizer.encode(f" {letter}", add_special_tokens=False)[-1] for letter in "ABCD"]
    letters = ""
    for row in list(rows_of(mmlu, "test", subject))[:count]:
        text = f"The following are multiple choice questions (with answers) about {subject.replace('_', ' ')}.\n\n" + row["question"]
        text += "".join(f"\n{letter}. {choice}" for letter, choice in zip("ABCD", row["choices"])) + "\nAnswer:"
        with torch.inference_mode():
            logits = model.model(torch.tensor([model.tokenizer.encode(text)])).logits[0, -1, ids]
        letters += "ABCD"[int(logits.argmax())]
    return {"answers": letters}


def main():
    folder, mmlu, count, out = sys.argv[1:5]
    shots = [int(one) for one in sys.argv[5:]] or [0, 5]
    model = HFLM(pretrained=folder, dtype="float32", device="cpu", batch_size=4)
    found = {"per_subject": int(count), "tasks": asked(model, file_tasks())}
    found["reference"] = {subject: by_the_reference(model, mmlu, subject, int(count)) for subject in SUBJECTS}
    with tempfile.TemporaryDirectory() as scratch:
        for number in shots:
            tasks = [mmlu_task(pathlib.Path(scratch), mmlu, subject, int(count), number) for subject in SUBJECTS]
            found[f"{number}-shot"] = {name.removeprefix("mmlu_"): one for name, one in asked(model, tasks).items()}
    pathlib.Path(out).write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
