#include "count.h"

#include <engine/base/files.h>
#include <engine/base/json.h>
#include <engine/base/json_value.h>

#include <cctype>
#include <map>

namespace stillroom::words {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLongest = std::size_t{64} << 20;

using Words = std::map<std::string, std::int64_t>;

Words count(const std::string& text, const CountSettings& settings) {
    Words words;
    std::string word;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        auto letter = static_cast<unsigned char>(i < text.size() ? text[i] : ' ');
        if (std::isalpha(letter)) {
            word += settings.case_ == CountSettings::Case::fold
                        ? static_cast<char>(std::tolower(letter))
                        : static_cast<char>(letter);
            continue;
        }
        if (!word.empty() && static_cast<std::int64_t>(word.size()) >= settings.shortest)
            ++words[word];
        word.clear();
    }
    return words;
}

}  // namespace

void Count::describe(DescribeContext& context) const {
    std::error_code error;
    std::uintmax_t bytes = fs::file_size(settings_.file, error);
    if (error || !settings_.at_most || bytes <= static_cast<std::uintmax_t>(*settings_.at_most))
        return;
    context.refuse(Settings::Key().at_most,
                   "the text is " + std::to_string(bytes) + " bytes, at most " +
                       std::to_string(*settings_.at_most) + " may come",
                   "leave at_most out to take any");
}

void Count::run(RunContext& context) {
    Words words = count(read_file(settings_.file, kLongest), settings_);
    std::size_t known = 0;
    if (context.has("before")) {
        Json before = Json::parse(read_file(context.input("before") / "report.json", kLongest));
        for (const auto& [word, times] : words)
            known += before.find(word) != nullptr;
    }

    JsonWriter report(2);
    report.begin_object();
    for (const auto& [word, times] : words) {
        report.key(word);
        report.integer(times);
    }
    report.end_object();
    write_file(context.output("report") / "report.json", report.text() + "\n");
    context.text(std::to_string(words.size()) + " words, " + std::to_string(words.size() - known) +
                 " of them new\n");
}

}  // namespace stillroom::words
