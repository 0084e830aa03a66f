#pragma once

namespace stillroom::cli {

struct Command;

// What each verb of the table does. Mistakes go to the command's diagnostics; what cannot go on
// throws Error.
void run_parse(Command& command);
void run_fmt(Command& command);
void run_check(Command& command);
void run_plan(Command& command);
void run_why(Command& command);
void run_run(Command& command);
void run_resume(Command& command);
void run_do(Command& command);
void run_compose(Command& command);
void run_explain(Command& command);
void run_diff(Command& command);
void run_verify(Command& command);
void run_graph(Command& command);
void run_schema(Command& command);
void run_stages(Command& command);
void run_help(Command& command);
void run_launch(Command& command);
void run_lock(Command& command);
void run_runs(Command& command);
void run_store(Command& command);
void run_recipes(Command& command);
void run_init(Command& command);
void run_doctor(Command& command);
void run_completion(Command& command);

}  // namespace stillroom::cli
