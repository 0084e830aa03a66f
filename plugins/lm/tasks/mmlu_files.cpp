#include "plugins/lm/tasks/mmlu_files.h"

#include "engine/base/digest.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "plugins/lm/data/parquet.h"
#include "plugins/lm/tasks/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <span>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLargestFile = std::size_t{64} << 20;
constexpr std::size_t kMostSubjects = 4096;
constexpr std::size_t kChoices = 4;
constexpr std::array<std::string_view, 6> kHeader = {
    "question", "choice0", "choice1", "choice2", "choice3", "answer"};

struct MmluFile {
    std::vector<Question> questions;
    bool header = false;
};

[[noreturn]] void refuse_row(const fs::path& path, const CsvRow& row, std::string what) {
    Position where;
    where.file = path.string();
    where.line = static_cast<int>(row.line);
    where.column = 1;
    throw Error(where, std::move(what))
        .hint(fmt::format("a row is {}; without that header the answer is a letter from A to D",
                          fmt::join(kHeader, ",")))
        .exit_code(kExitBadInput);
}

MmluFile read_csv_file(const fs::path& path) {
    std::vector<CsvRow> rows;
    try {
        rows = parse_csv(read_file(path, kLargestFile), path.string());
    } catch (Error& error) {
        error.exit_code(kExitBadInput);
        throw;
    }
    if (rows.empty())
        throw Error({}, fmt::format("no question in {}", path.string())).exit_code(kExitBadInput);
    if (rows.front().cells.size() != kHeader.size())
        refuse_row(
            path,
            rows.front(),
            fmt::format(
                "{} columns, a file of MMLU has {}", rows.front().cells.size(), kHeader.size()));
    MmluFile file;
    file.header = std::ranges::equal(rows.front().cells, kHeader);
    char first = file.header ? '0' : 'A';
    for (const CsvRow& row : std::span(rows).subspan(file.header ? 1 : 0)) {
        const std::string& answer = row.cells.back();
        if (answer.size() != 1 || answer[0] < first ||
            answer[0] >= first + static_cast<char>(kChoices))
            refuse_row(path,
                       row,
                       fmt::format("the answer {} is none of {} to {}",
                                   shorten(escape_controls(answer), 20),
                                   first,
                                   static_cast<char>(first + static_cast<char>(kChoices) - 1)));
        file.questions.push_back({.text = row.cells.front(),
                                  .choices = {row.cells.begin() + 1, row.cells.end() - 1},
                                  .answer = static_cast<std::size_t>(answer[0] - first)});
    }
    if (file.questions.empty())
        throw Error({}, fmt::format("{} has a header and no question", path.string()))
            .exit_code(kExitBadInput);
    return file;
}

std::vector<fs::path> parquet_files(const fs::path& folder, std::string_view split) {
    std::vector<fs::path> files;
    for (const std::string& name : list_folder(folder))
        if (name.starts_with(split) && name.ends_with(".parquet"))
            files.push_back(folder / name);
    return files;
}

/// Adds a file's rows to their subjects. Some revisions have the columns below `train`.
void read_parquet(const fs::path& path,
                  std::map<std::string, Subject>& subjects,
                  std::vector<Question> Subject::*part) {
    ParquetFile file = ParquetFile::open(path);
    std::string at = file.has("question") ? "" : "train.";
    using Kind = ParquetColumn::Kind;
    ParquetReader question(file, at + "question", Kind::text);
    ParquetReader subject(file, at + "subject", Kind::text);
    ParquetReader choices(file, at + "choices", Kind::text);
    ParquetReader answer(file, at + "answer", Kind::integer);
    while (question.next() && subject.next() && choices.next() && answer.next()) {
        bool whole = !question.is_null() && !subject.is_null() && !answer.is_null() &&
                     choices.items().size() == kChoices;
        if (!whole || answer.integer() < 0 ||
            answer.integer() >= static_cast<std::int64_t>(kChoices))
            throw Error({},
                        fmt::format("{}: row {} is no question with {} choices and an answer from "
                                    "0 to {}",
                                    path.string(),
                                    question.row(),
                                    kChoices,
                                    kChoices - 1))
                .exit_code(kExitBadInput);
        Question one{.text = std::string(question.text()),
                     .choices = {},
                     .answer = static_cast<std::size_t>(answer.integer())};
        for (const ParquetValue& choice : choices.items())
            one.choices.emplace_back(choice.text);
        std::string name(subject.text());
        Subject& its = subjects[name];
        its.name = name;
        (its.*part).push_back(std::move(one));
    }
}

std::string digest_below(const std::vector<fs::path>& files, const fs::path& base) {
    std::vector<FileRecord> records = digest_files(files, 1);
    for (FileRecord& record : records)
        record.path = fs::path(record.path).lexically_relative(base).generic_string();
    return content_digest(records);
}

QuestionSet read_parquet_set(const fs::path& base, bool with_examples) {
    std::map<std::string, Subject> subjects;
    std::vector<fs::path> files = parquet_files(base, "test");
    for (const fs::path& path : files)
        read_parquet(path, subjects, &Subject::questions);
    if (with_examples)
        for (const fs::path& path : parquet_files(base, "dev")) {
            read_parquet(path, subjects, &Subject::examples);
            files.push_back(path);
        }
    QuestionSet set{.subjects = {}, .form = "Parquet", .digest = digest_below(files, base)};
    for (auto& [name, subject] : subjects)
        if (!subject.questions.empty())
            set.subjects.push_back(std::move(subject));
    return set;
}

/// SUBJECT of each `SUBJECT_SPLIT.csv` in the folder.
std::vector<std::string> subjects_in(const fs::path& folder, std::string_view split) {
    std::string ending = fmt::format("_{}.csv", split);
    std::vector<std::string> subjects;
    for (const std::string& name : list_folder(folder))
        if (name.ends_with(ending) && name.size() > ending.size())
            subjects.push_back(name.substr(0, name.size() - ending.size()));
    return subjects;
}

}  // namespace

QuestionSet read_mmlu(const fs::path& folder, bool with_examples) {
    for (const fs::path& base : {folder, folder / "all", folder / "data"})
        if (!parquet_files(base, "test").empty())
            return read_parquet_set(base, with_examples);
    std::error_code ignored;
    fs::path base = fs::is_directory(folder / "data" / "test", ignored) ? folder / "data" : folder;
    std::vector<std::string> names = subjects_in(base / "test", "test");
    if (names.empty())
        throw Error({},
                    fmt::format("no MMLU in {}: no file test/SUBJECT_test.csv or test*.parquet",
                                folder.string()))
            .hint("the folder that holds dev/ and test/ with a CSV file for each subject")
            .exit_code(kExitBadInput);
    if (names.size() > kMostSubjects)
        throw Error(
            {},
            fmt::format(
                "{} has {} subjects, {} is the most", folder.string(), names.size(), kMostSubjects))
            .exit_code(kExitBadInput);
    QuestionSet set;
    std::vector<fs::path> files;
    bool header = false;
    for (const std::string& name : names) {
        fs::path test = base / "test" / (name + "_test.csv");
        fs::path dev = base / "dev" / (name + "_dev.csv");
        MmluFile asked = read_csv_file(test);
        header = header || asked.header;
        files.push_back(test);
        Subject subject{.name = name, .examples = {}, .questions = std::move(asked.questions)};
        if (with_examples) {
            if (!fs::exists(dev, ignored))
                throw Error({},
                            fmt::format("no examples for {}: {} is missing", name, dev.string()))
                    .hint("few_shot=0 asks without examples")
                    .exit_code(kExitBadInput);
            subject.examples = read_csv_file(dev).questions;
            files.push_back(dev);
        }
        set.subjects.push_back(std::move(subject));
    }
    set.form = header ? "CSV with a header" : "CSV as in the original archive";
    set.digest = digest_below(files, base);
    return set;
}

}  // namespace stillroom::lm
