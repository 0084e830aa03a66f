#include "engine/base/codes.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/cli/schema_verbs.h"
#include "engine/document/document.h"
#include "engine/schema/schema.h"
#include "engine/schema/uri.h"
#include "engine/schema/validate.h"

#include <fmt/format.h>

#include <map>

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kFileScheme = "file://";

/// Where documents that a schema refers to lie: each --resource says so of the addresses that begin
/// with its URL; other files are found beside the schema. Nothing is ever fetched.
class Resources {
public:
    explicit Resources(Command& command) : command_(command) {
        for (const Word& word : command.line.values("--resource")) {
            std::size_t equals = word.text.rfind('=');
            if (equals == std::string::npos || equals == 0 || equals + 1 == word.text.size()) {
                command.diagnostics
                    .error(0, word.where, fmt::format("'{}' is not URL=DIR", word.text))
                    .with_hint("for example --resource https://example.org/schemas=schemas");
                continue;
            }
            fs::path folder = word.text.substr(equals + 1);
            std::error_code ignored;
            if (!fs::is_directory(folder, ignored))
                command.diagnostics.error(
                    0, word.where, fmt::format("'{}' is no folder", folder.string()));
            folders_[word.text.substr(0, equals)] = folder;
        }
    }

    /// The document at an address, or null where no file of it is there.
    NodePtr find(const std::string& uri) const {
        // The longest URL that the address begins with, at the end of a part of its path.
        for (auto entry = folders_.rbegin(); entry != folders_.rend(); ++entry) {
            const auto& [url, folder] = *entry;
            if (!uri.starts_with(url))
                continue;
            std::string rest = uri.substr(url.size());
            if (!url.ends_with("/") && !rest.empty() && rest[0] != '/')
                continue;
            rest.erase(0, rest.find_first_not_of('/'));
            if (NodePtr found = read(folder / decode_percent(rest)))
                return found;
        }
        if (uri.starts_with(kFileScheme))
            return read(decode_percent(uri.substr(kFileScheme.size())));
        return nullptr;
    }

private:
    NodePtr read(const fs::path& path) const {
        std::error_code ignored;
        if (!fs::is_regular_file(path, ignored))
            return nullptr;
        return read_document(command_.sources, path, command_.limits, command_.diagnostics).root;
    }

    Command& command_;
    std::map<std::string, fs::path> folders_;
};

struct FileVerdict {
    std::string file;
    std::vector<Diagnostic> mistakes;
};

FileVerdict validate_file(Command& command, const Schema& schema, const Word& file) {
    FileVerdict verdict{file.text, {}};
    Diagnostics reading;
    Document document =
        read_document(command.sources, file.text, command.limits, reading, file.where);
    for (const Diagnostic& diagnostic : reading.all())
        if (diagnostic.severity == Severity::error)
            verdict.mistakes.push_back(diagnostic);
    if (!verdict.mistakes.empty() || !document.root)
        return verdict;
    try {
        for (const Mistake& mistake : validate(schema, document.root)) {
            Diagnostic diagnostic = diagnostic_of(mistake);
            diagnostic.key = mistake.path;
            verdict.mistakes.push_back(std::move(diagnostic));
        }
    } catch (const Error& error) {
        Diagnostics thrown;
        add_error(thrown, error, document.root->where);
        verdict.mistakes.push_back(thrown.all().front());
        verdict.mistakes.back().code = code::kSchemaCost;
    }
    return verdict;
}

std::string verdicts_json(const Command& command, const std::vector<FileVerdict>& verdicts) {
    JsonWriter out(2);
    out.begin_array();
    for (const FileVerdict& verdict : verdicts) {
        out.begin_object();
        out.key("file"), out.string(verdict.file);
        out.key("valid"), out.boolean(verdict.mistakes.empty());
        out.key("errors"), out.begin_array();
        for (const Diagnostic& mistake : verdict.mistakes) {
            Position at = command.sources.position(mistake.where.begin);
            out.begin_object();
            out.key("path"), out.string(mistake.key);
            out.key("line"), at.line == 0 ? out.null() : out.integer(at.line);
            out.key("column"), at.column == 0 ? out.null() : out.integer(at.column);
            out.key("message"), out.string(mistake.message);
            out.end_object();
        }
        out.end_array();
        out.end_object();
    }
    out.end_array();
    return out.take() + "\n";
}

}  // namespace

void validate_files(Command& command) {
    command.bare_value = true;
    if (command.line.words.size() < 3) {
        command.diagnostics
            .error(0,
                   command.line.words.back().where,
                   "`stillroom schema validate` needs a schema and a file")
            .with_hint("for example `stillroom schema validate my.schema.json my.yaml`");
        return;
    }
    const Word& schema_file = command.line.words[1];
    Resources resources(command);
    Document document = read_document(
        command.sources, schema_file.text, command.limits, command.diagnostics, schema_file.where);
    if (!command.diagnostics.ok() || !document.root)
        return;
    std::error_code ignored;
    std::string uri = std::string(kFileScheme) +
                      fs::absolute(schema_file.text, ignored).lexically_normal().generic_string();
    Schema schema = compile(
        document.root,
        uri,
        [&](const std::string& wanted) { return resources.find(wanted); },
        command.diagnostics);
    if (!command.diagnostics.ok() || !schema)
        return;

    std::vector<FileVerdict> verdicts;
    for (const Word& file : command.words_from(2))
        verdicts.push_back(validate_file(command, schema, file));
    for (const FileVerdict& verdict : verdicts) {
        for (const Diagnostic& mistake : verdict.mistakes)
            command.diagnostics.add(mistake);
        if (verdict.mistakes.empty())
            command.text += fmt::format("{}: valid\n", escape_controls(verdict.file));
    }
    if (command.json()) {
        command.text = verdicts_json(command, verdicts);
        command.value_despite_errors = true;
    } else {
        command.bare_value = false;
    }
}

}  // namespace stillroom::cli
