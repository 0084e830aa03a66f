#include "tests/plugins/toy/texts.h"

#include "engine/base/files.h"
#include "engine/base/json_value.h"

namespace stillroom::toy {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLongest = std::size_t{64} << 20;

}  // namespace

std::string read_text(const fs::path& folder) {
    return read_file(folder / "text.txt", kLongest);
}

void write_size(const fs::path& folder, std::int64_t bytes) {
    write_file(folder / "report.json", "{\"bytes\":" + std::to_string(bytes) + "}\n");
}

std::int64_t read_size(const fs::path& folder) {
    return Json::parse(read_file(folder / "report.json", 4096)).at("bytes").integer();
}

void write_text(const fs::path& folder, std::string_view text) {
    write_file(folder / "text.txt", text);
    write_size(folder, static_cast<std::int64_t>(text.size()));
}

void Write::describe(DescribeContext& context) const {
    write_size(context.output("report"), static_cast<std::int64_t>(settings_.text.size()));
    Cost cost;
    cost.disk_bytes = settings_.text.size();
    context.cost(cost);
}

void Write::run(RunContext& context) {
    write_text(context.output("report"), settings_.text);
    context.text(settings_.text);
}

void Join::describe(DescribeContext& context) const {
    std::vector<fs::path> texts = context.inputs("texts");
    std::int64_t bytes = 0;
    for (const fs::path& text : texts)
        bytes += read_size(text);
    std::size_t gaps = texts.size() - 1;
    if (context.has("more")) {
        bytes += read_size(context.input("more"));
        ++gaps;
    }
    write_size(context.output("report"),
               bytes + static_cast<std::int64_t>(gaps * settings_.between.size()));
}

void Join::run(RunContext& context) {
    std::vector<fs::path> texts = context.inputs("texts");
    if (context.has("more"))
        texts.push_back(context.input("more"));
    std::string out;
    for (std::size_t i = 0; i < texts.size(); ++i)
        out += (i == 0 ? "" : settings_.between) + read_text(texts[i]);
    write_text(context.output("report"), out);
    context.text(out);
}

void Upper::describe(DescribeContext& context) const {
    std::int64_t bytes = read_size(context.input("text"));
    if (settings_.at_most && bytes > *settings_.at_most)
        context.refuse(Settings::Key().at_most,
                       "the text is " + std::to_string(bytes) + " bytes, at most " +
                           std::to_string(*settings_.at_most) + " may come",
                       "leave at_most out to take any");
    write_size(context.output("report"), bytes);
}

void Upper::run(RunContext& context) {
    std::string out = read_text(context.input("text"));
    for (char& c : out)
        if (c >= 'a' && c <= 'z')
            c = static_cast<char>(c - 'a' + 'A');
    write_text(context.output("report"), out);
    context.text(out);
}

}  // namespace stillroom::toy
