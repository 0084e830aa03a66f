#include "plugins/lm/tasks/task_files.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "plugins/lm/data/parquet.h"
#include "plugins/lm/tasks/mmlu_prompt.h"
#include "plugins/lm/tokenizer/unicode.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

constexpr std::size_t kLargestTaskFile = std::size_t{1} << 30;
constexpr std::size_t kLargestRow = std::size_t{16} << 20;
constexpr std::size_t kMostChoices = 256;

[[noreturn]] void refuse_row(std::string what) {
    throw Error({}, std::move(what)).exit_code(kExitBadInput);
}

const std::string& text_at(const Json& row, const char* key) {
    const Json& value = row.at(key);
    if (!value.is_string())
        refuse_row(fmt::format("'{}' is no text", key));
    return value.string();
}

std::vector<std::string> texts_at(const Json& row, const char* key) {
    const Json& value = row.at(key);
    if (!value.is_list() || value.list().size() < 2 || value.list().size() > kMostChoices)
        refuse_row(fmt::format("'{}' is no list of 2 to {} texts", key, kMostChoices));
    std::vector<std::string> texts;
    for (const Json& one : value.list()) {
        if (!one.is_string() || one.string().empty())
            refuse_row(fmt::format("'{}' holds what is no text", key));
        texts.push_back(one.string());
    }
    return texts;
}

/// One of `count`, from a number or its text, counted from `first`.
std::size_t number_at(const Json& row, const char* key, std::size_t count, std::int64_t first) {
    const Json& value = row.at(key);
    std::int64_t number = -1;
    if (value.is_number())
        number = value.integer() - first;
    else if (value.is_string() && value.string().size() <= 3 && !value.string().empty() &&
             value.string().find_first_not_of("0123456789") == std::string::npos)
        number = std::stoll(value.string()) - first;
    if (number < 0 || number >= static_cast<std::int64_t>(count))
        refuse_row(fmt::format("'{}' is {}, none of {} to {}",
                               key,
                               shorten(value.text(), 40),
                               first,
                               first + static_cast<std::int64_t>(count) - 1));
    return static_cast<std::size_t>(number);
}

/// As an index, as one of the texts or as a letter from A on.
std::size_t answer_at(const Json& row, const std::vector<std::string>& choices) {
    const Json& value = row.at("answer");
    if (value.is_string()) {
        auto text = std::find(choices.begin(), choices.end(), value.string());
        if (text != choices.end())
            return static_cast<std::size_t>(text - choices.begin());
        if (value.string().size() == 1 && value.string()[0] >= 'A' &&
            value.string()[0] < 'A' + static_cast<int>(std::min<std::size_t>(choices.size(), 26)))
            return static_cast<std::size_t>(value.string()[0] - 'A');
    }
    return number_at(row, "answer", choices.size(), 0);
}

std::vector<std::string> behind_a_blank(const std::vector<std::string>& choices) {
    std::vector<std::string> out;
    for (const std::string& choice : choices)
        out.push_back(" " + choice);
    return out;
}

TaskQuestion from_context(std::string context,
                          std::vector<std::string> choices,
                          std::size_t answer) {
    TaskQuestion question;
    question.contexts = {std::move(context)};
    question.continuations = behind_a_blank(choices);
    question.choices = std::move(choices);
    question.answer = answer;
    return question;
}

/// Python's str.capitalize() but for letters that become several.
std::string capitalised(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t begin = at;
        char32_t c = decode_utf8(text, at);
        if (begin > 0)
            c = lower_case(c);
        else if (c >= 'a' && c <= 'z')
            c -= 'a' - 'A';
        else if ((c >= 0xe0 && c <= 0xfe && c != 0xf7) ||
                 (c >= 0x3b1 && c <= 0x3c9 && c != 0x3c2) || (c >= 0x430 && c <= 0x44f))
            c -= 0x20;
        append_utf8(out, c);
    }
    return out;
}

TaskQuestion hellaswag(const Json& row) {
    std::vector<std::string> endings = texts_at(row, "endings");
    for (std::string& ending : endings)
        ending = hellaswag_text(ending);
    std::string context = fmt::format("{}: {} {}",
                                      text_at(row, "activity_label"),
                                      text_at(row, "ctx_a"),
                                      capitalised(text_at(row, "ctx_b")));
    std::size_t label = number_at(row, "label", endings.size(), 0);
    return from_context(hellaswag_text(context), std::move(endings), label);
}

TaskQuestion arc(const Json& row) {
    const Json& choices = row.at("choices");
    std::vector<std::string> texts = texts_at(choices, "text"), labels = texts_at(choices, "label");
    const std::string& key = text_at(row, "answerKey");
    auto right = std::find(labels.begin(), labels.end(), key);
    auto index = static_cast<std::size_t>(right - labels.begin());
    if (index >= texts.size())
        refuse_row(fmt::format("'answerKey' {} is none of the labels", json_quoted(key)));
    return from_context(
        fmt::format("Question: {}\nAnswer:", text_at(row, "question")), std::move(texts), index);
}

TaskQuestion winogrande(const Json& row) {
    const std::string& sentence = text_at(row, "sentence");
    std::size_t gap = sentence.find('_');
    if (gap == sentence.npos)
        refuse_row("'sentence' has no '_' for the options");
    TaskQuestion question;
    for (const char* option : {"option1", "option2"})
        question.contexts.push_back(sentence.substr(0, gap) + text_at(row, option));
    question.choices = question.contexts;
    question.continuations = {" " + std::string(strip(std::string_view(sentence).substr(gap + 1)))};
    question.answer = number_at(row, "answer", 2, 1);
    return question;
}

/// The columns that each rule reads.
std::vector<std::string> columns_of(TaskRule rule) {
    switch (rule) {
        case TaskRule::hellaswag:
            return {"activity_label", "ctx_a", "ctx_b", "endings", "label"};
        case TaskRule::arc:
            return {"question", "choices.text", "choices.label", "answerKey"};
        case TaskRule::winogrande:
            return {"sentence", "option1", "option2", "answer"};
        case TaskRule::choices:
            break;
    }
    return {"question", "choices", "answer"};
}

void write_cell(JsonWriter& out, const ParquetReader& cell, const ParquetColumn& column) {
    if (column.list) {
        out.begin_array();
        for (const ParquetValue& value : cell.items())
            out.string(value.text);
        out.end_array();
    } else if (cell.is_null()) {
        out.null();
    } else if (column.kind == ParquetColumn::Kind::integer) {
        out.integer(cell.integer());
    } else {
        out.string(cell.text());
    }
}

/// A row as the JSON that it would be in a JSONL file; "a.b" is b in the object a.
std::string row_text(const std::vector<std::string>& names,
                     const std::vector<ParquetReader>& cells,
                     const ParquetFile& file) {
    JsonWriter out;
    std::string open;
    out.begin_object();
    for (std::size_t i = 0; i < names.size(); i++) {
        std::size_t dot = names[i].find('.');
        std::string outer = dot == std::string::npos ? "" : names[i].substr(0, dot);
        if (outer != open) {
            if (!open.empty())
                out.end_object();
            if (!outer.empty())
                out.key(outer), out.begin_object();
            open = outer;
        }
        out.key(dot == std::string::npos ? names[i] : names[i].substr(dot + 1));
        write_cell(out, cells[i], file.column(names[i]));
    }
    if (!open.empty())
        out.end_object();
    out.end_object();
    return out.take();
}

std::vector<TaskQuestion> read_parquet_rows(const std::filesystem::path& path, TaskRule rule) {
    ParquetFile file = ParquetFile::open(path);
    std::vector<std::string> names = columns_of(rule);
    std::vector<ParquetReader> cells;
    for (const std::string& name : names)
        cells.emplace_back(file, name, file.column(name).kind);
    std::vector<TaskQuestion> questions;
    while (std::all_of(cells.begin(), cells.end(), [](ParquetReader& cell) { return cell.next(); }))
        try {
            questions.push_back(task_question(Json::parse(row_text(names, cells, file)), rule));
        } catch (const Error& error) {
            throw Error(
                {}, fmt::format("{}: row {}: {}", path.string(), cells.front().row(), error.what()))
                .exit_code(kExitBadInput);
        }
    return questions;
}

std::vector<TaskQuestion> read_json_lines(const std::filesystem::path& path, TaskRule rule) {
    std::string text;
    try {
        text = read_file(path, kLargestTaskFile);
    } catch (Error& error) {
        error.exit_code(kExitBadInput);
        throw;
    }
    std::vector<TaskQuestion> questions;
    int line = 0;
    for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
        end = std::min(text.find('\n', begin), text.size());
        line++;
        std::string_view row = trim(std::string_view(text).substr(begin, end - begin));
        if (row.empty())
            continue;
        try {
            questions.push_back(task_question(Json::parse(row, kLargestRow), rule));
        } catch (const Error& error) {
            Position where;
            where.file = path.string();
            where.line = line;
            where.column = 1;
            throw Error(where, error.what())
                .hint("an object a line, with the keys that the rule names")
                .exit_code(kExitBadInput);
        }
    }
    return questions;
}

}  // namespace

std::string TaskQuestion::solved() const {
    return contexts[contexts.size() == 1 ? 0 : answer] +
           continuations[continuations.size() == 1 ? 0 : answer] + "\n\n";
}

std::string hellaswag_text(std::string_view text) {
    auto replaced = [](std::string from, std::string_view what, std::string_view by) {
        for (std::size_t at = 0; (at = from.find(what, at)) != from.npos; at += by.size())
            from.replace(at, what.size(), by);
        return from;
    };
    std::string out = replaced(std::string(strip(text)), " [title]", ". ");
    for (std::size_t open = 0; (open = out.find('[', open)) != out.npos;) {
        std::size_t close = out.find_first_of("]\n", open);
        if (close == out.npos)
            break;
        if (out[close] == ']')
            out.erase(open, close + 1 - open);
        else
            open++;
    }
    return replaced(std::move(out), "  ", " ");
}

TaskQuestion task_question(const Json& row, TaskRule rule) {
    switch (rule) {
        case TaskRule::hellaswag:
            return hellaswag(row);
        case TaskRule::arc:
            return arc(row);
        case TaskRule::winogrande:
            return winogrande(row);
        case TaskRule::choices:
            break;
    }
    std::vector<std::string> choices = texts_at(row, "choices");
    std::size_t answer = answer_at(row, choices);
    return from_context(text_at(row, "question"), std::move(choices), answer);
}

std::vector<TaskQuestion> read_task_file(const std::filesystem::path& path, TaskRule rule) {
    std::vector<TaskQuestion> questions = path.extension() == ".parquet"
                                              ? read_parquet_rows(path, rule)
                                              : read_json_lines(path, rule);
    if (questions.empty())
        throw Error({}, fmt::format("no question in {}", path.string())).exit_code(kExitBadInput);
    return questions;
}

}  // namespace stillroom::lm
