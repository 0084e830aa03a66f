#include "engine/cli/command.h"

#include "engine/base/decimal.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/build_info.h"
#include "engine/cli/terminal.h"
#include "engine/document/scalar.h"

#include <fmt/format.h>

#include <utility>

namespace stillroom::cli {
namespace {

struct LimitName {
    std::string_view name;
    std::size_t Limits::*member;
};

constexpr LimitName kLimits[] = {{"depth", &Limits::depth},
                                 {"file-bytes", &Limits::file_bytes},
                                 {"files", &Limits::files},
                                 {"nodes", &Limits::nodes},
                                 {"total-bytes", &Limits::total_bytes}};

/// The object that every --json prints, also on failure.
std::string envelope(const Command& command, int code) {
    JsonWriter out(2);
    out.begin_object();
    out.key("stillroom"), out.string(kVersion);
    out.key("command");
    command.line.verb ? out.string(command.line.verb->name) : out.null();
    out.key("ok"), out.boolean(code == kExitOk);
    out.key("exit"), out.integer(code);
    out.key("problems"), write_problems(out, command.diagnostics, command.sources);
    out.key("result");
    command.result.empty() ? out.null() : out.raw(command.result);
    out.end_object();
    return out.take() + "\n";
}

std::string problems_text(const Command& command) {
    if (command.diagnostics.empty())
        return "";
    const Word* format = command.line.value("--format");
    if (format && format->text == "json") {
        JsonWriter out(2);
        out.begin_object();
        out.key("problems"), write_problems(out, command.diagnostics, command.sources);
        out.end_object();
        return out.take() + "\n";
    }
    const Word* color = command.line.value("--color");
    RenderOptions options;
    options.color = wants_color(color ? color->text : "");
    if (!command.line.has("--quiet"))
        return render(command.diagnostics, command.sources, options);
    Diagnostics errors;
    for (const Diagnostic& diagnostic : command.diagnostics.all())
        if (diagnostic.severity == Severity::error)
            errors.add(diagnostic);
    return render(errors, command.sources, options);
}

}  // namespace

void Command::write_result(const std::function<void(JsonWriter&)>& write) {
    JsonWriter out;
    write(out);
    result = out.take();
}

std::vector<Word> Command::words_from(std::size_t first) const {
    if (first >= line.words.size())
        return {};
    return {line.words.begin() + static_cast<std::ptrdiff_t>(first), line.words.end()};
}

std::vector<std::filesystem::path> Command::config_folders() const {
    std::vector<std::filesystem::path> folders;
    for (const Word& word : line.values("--config-dir"))
        folders.emplace_back(word.text);
    return folders;
}

const Configuration& Command::configuration() const {
    if (!configured)
        configured = read_configuration(sources, configuration_files(), diagnostics);
    return *configured;
}

void read_limits(Command& command) {
    std::vector<std::string> names;
    for (const LimitName& limit : kLimits)
        names.emplace_back(limit.name);
    for (const Word& word : command.line.values("--limit")) {
        std::size_t equals = word.text.find('=');
        std::string name = word.text.substr(0, equals);
        std::string number = equals == std::string::npos ? "" : word.text.substr(equals + 1);
        const LimitName* found = nullptr;
        for (const LimitName& limit : kLimits)
            if (limit.name == name)
                found = &limit;
        if (!found) {
            std::string hint = did_you_mean(name, names);
            command.diagnostics.error(0, word.where, fmt::format("unknown limit '{}'", name))
                .with_hint(hint.empty() ? fmt::format("the limits are {}", join(names)) : hint);
            continue;
        }
        std::optional<Decimal> value = parse_count(number);
        if (!value)
            value = parse_bytes(number);
        std::optional<std::int64_t> whole = value ? value->to_int64() : std::nullopt;
        if (!whole || *whole < 1)
            command.diagnostics.error(
                0,
                word.where,
                fmt::format("limit '{}' is a whole number above 0, not '{}'", name, number));
        else
            command.limits.*(found->member) = static_cast<std::size_t>(*whole);
    }
}

void add_error(Diagnostics& diagnostics, const Error& error, Span where) {
    std::string place = error.where().text();
    std::string message = error.what();
    if (!place.empty())
        message = fmt::format("{}: {}", place, message);
    Diagnostic& added = diagnostics.error(0, where, message);
    added.with_hint(error.hint_text()).at_key(error.setting()).exits(error.exit_code());
    for (const Error::Note& note : error.notes()) {
        std::string at = note.where.text();
        added.note({}, at.empty() ? note.text : fmt::format("{}: {}", at, note.text));
    }
}

int finish(Command& command) {
    int code = command.exit_code.value_or(command.diagnostics.exit_code());
    bool prints = code == kExitOk || command.value_despite_errors;
    std::string out;
    if (command.bare_value)
        out = prints ? command.text : "";
    else if (command.json())
        out = envelope(command, code);
    else
        out = command.text;

    const Word* format = command.line.value("--format");
    bool says_problems = command.bare_value ? !command.value_despite_errors : !command.json();
    if (says_problems || (format && format->text == "json"))
        write_stderr(problems_text(command));
    if (!command.line.has("--quiet"))
        write_stderr(command.progress);
    std::string failure = write_stdout(out);
    if (failure.empty() || command.survives_lost_stdout)
        return code;
    write_stderr(fmt::format("error: cannot write to stdout: {}\n", failure));
    return code == kExitOk ? kExitResource : code;
}

}  // namespace stillroom::cli
