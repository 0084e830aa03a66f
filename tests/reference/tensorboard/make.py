#!/usr/bin/env python3
"""What TensorBoard's own writer makes of two events files, the second of a run that goes on, and that its reader takes back what the first
said after the step from which the second goes on. Written to events.json, as hexadecimal; times are fixed.

    python3 make.py            with tensorboard 2.21.0, protobuf 7.36.2, numpy 2
"""

import io
import json
import pathlib
import tempfile

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

VERSION = "brain.Event:2"


def scalars(step, time, **values):
    listed = [summary_pb2.Summary.Value(tag=tag.replace("_", " "), simple_value=value) for tag, value in values.items()]
    return event_pb2.Event(wall_time=time, step=step, summary=summary_pb2.Summary(value=listed))


def file_of(events):
    out = io.BytesIO()
    writer = RecordWriter(out)
    for event in events:
        writer.write(event.SerializeToString())
    return out.getvalue()


first = file_of(
    [event_pb2.Event(wall_time=1.0, file_version=VERSION)]
    + [scalars(step, 1.0, lm_loss=5.0) for step in (100, 200, 300, 301, 302)]
)
start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
second = file_of(
    [
        event_pb2.Event(wall_time=1.0, step=301, file_version=VERSION),
        event_pb2.Event(wall_time=1.0, step=301, session_log=start),
        scalars(301, 2.0, lm_loss=2.5, throughput=float("inf")),
    ]
)

with tempfile.TemporaryDirectory() as folder:
    (pathlib.Path(folder) / "events.out.tfevents.1.host.7.0").write_bytes(first)
    (pathlib.Path(folder) / "events.out.tfevents.1.host.7.1").write_bytes(second)
    reader = EventAccumulator(folder)
    reader.Reload()
    seen = [[event.step, event.value] for event in reader.Scalars("lm loss")]
assert seen == [[100, 5.0], [200, 5.0], [300, 5.0], [301, 2.5]], seen

result = {"first": first.hex(), "resumed": second.hex()}
(pathlib.Path(__file__).parent / "events.json").write_text(json.dumps(result, indent=1) + "\n")
