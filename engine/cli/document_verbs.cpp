#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/cli/run_verbs.h"
#include "engine/cli/terminal.h"
#include "engine/document/document.h"
#include "engine/document/format.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

/// The first line in which two texts differ, of the first of them.
Span first_difference(const Source& source, std::string_view other) {
    const std::string& text = source.text();
    std::size_t at = 0;
    while (at < text.size() && at < other.size() && text[at] == other[at])
        ++at;
    std::size_t begin = source.line_start(at);
    return source.span(begin, begin + source.line(at).size());
}

/// Writes through a link and keeps the permissions.
void rewrite(const fs::path& path, std::string_view text) {
    fs::path real = fs::canonical(path);
    fs::perms permissions = fs::status(real).permissions();
    write_file(real, text);
    fs::permissions(real, permissions);
}

/// True if the file was, or with --check would be, changed.
bool format_file(Command& command, const Word& file) {
    std::size_t before = command.diagnostics.errors();
    Document document =
        read_document(command.sources, file.text, command.limits, command.diagnostics, file.where);
    if (command.diagnostics.errors() > before || !document.root)
        return false;
    std::optional<std::string> text = format(document, command.diagnostics);
    if (!text)
        return false;
    if (*text == document.source->text())
        return false;
    if (command.line.has("--check"))
        command.diagnostics
            .error(0, first_difference(*document.source, *text), "not in the usual layout")
            .with_hint(fmt::format("`stillroom fmt {}` rewrites it", shell_word(file.text)));
    else
        rewrite(file.text, *text);
    return true;
}

}  // namespace

void run_parse(Command& command) {
    command.bare_value = true;
    const Word& file = command.line.words.front();
    Document document =
        read_document(command.sources, file.text, command.limits, command.diagnostics, file.where);
    if (document.root)
        refuse_leading_zeros(*document.root, command.diagnostics);
    if (!command.diagnostics.ok() || !document.root)
        return;
    JsonWriter out(2);
    write_json(out, *document.root);
    command.text = out.take() + "\n";
}

void run_fmt(Command& command) {
    std::vector<std::pair<std::string, bool>> changed;
    for (const Word& file : command.line.words)
        changed.emplace_back(file.text, format_file(command, file));
    if (!command.line.has("--check"))
        for (const auto& [file, is_changed] : changed)
            if (is_changed)
                command.text += fmt::format("wrote {}\n", escape_controls(file));
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("files"), out.begin_array();
        for (const auto& [file, is_changed] : changed) {
            out.begin_object();
            out.key("file"), out.string(file);
            out.key("changed"), out.boolean(is_changed);
            out.end_object();
        }
        out.end_array();
        out.end_object();
    });
}

}  // namespace stillroom::cli
