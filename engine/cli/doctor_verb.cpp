#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/cli/doctor.h"
#include "engine/cli/run_verbs.h"
#include "engine/cli/terminal.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::cli {

void run_doctor(Command& command) {
    std::vector<Check> checks = examine_machine();
    int left = 0;
    for (const Check& check : checks)
        left = std::max(left, display_width(check.name) + 9);
    TwoColumns rows(command.columns, std::min(left, 32));
    for (const Check& check : checks) {
        std::string name = fmt::format("{:<8} {}", check.state, escape_controls(check.name));
        command.text += rows.row(name, escape_controls(check.detail));
        if (!check.fix.empty())
            command.text += rows.row("", "-> " + escape_controls(check.fix));
    }
    command.write_result([&](JsonWriter& out) {
        auto text = [&](std::string_view name, const std::string& value) {
            out.key(name), value.empty() ? out.null() : out.string(value);
        };
        out.begin_object();
        out.key("checks"), out.begin_array();
        for (const Check& check : checks) {
            out.begin_object();
            text("name", check.name);
            text("state", check.state);
            text("detail", check.detail);
            text("fix", check.fix);
            out.end_object();
        }
        out.end_array();
        out.end_object();
    });
}

}  // namespace stillroom::cli
