#include "tests/plugins/toy/texts.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <thread>

namespace stillroom::toy {
namespace fs = std::filesystem;

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

void Data::describe(DescribeContext& context) const {
    auto bytes = static_cast<std::int64_t>(settings_.text.size());
    write_size(context.output("data"), bytes);
    if (settings_.count)
        write_size(context.output("report"),
                   static_cast<std::int64_t>(std::to_string(bytes).size()));
}

void Data::run(RunContext& context) {
    write_text(context.output("data"), settings_.text);
    if (settings_.count)
        write_text(context.output("report"), std::to_string(settings_.text.size()));
}

void Join::describe(DescribeContext& context) const {
    std::vector<fs::path> texts = context.inputs("texts");
    if (context.has("more"))
        texts.push_back(context.input("more"));
    std::int64_t bytes = 0;
    for (const fs::path& text : texts) {
        std::optional<std::int64_t> size = read_size(text);
        if (!size)
            return;
        bytes += *size;
    }
    std::size_t gaps = texts.empty() ? 0 : texts.size() - 1;
    bytes += static_cast<std::int64_t>(gaps * settings_.between.size());
    write_size(context.output("report"), bytes);
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
    std::optional<std::int64_t> bytes = read_size(context.input("text"));
    if (!bytes)
        return;
    if (settings_.at_most && *bytes > *settings_.at_most)
        context.refuse(Settings::Key().at_most,
                       "the text is " + std::to_string(*bytes) + " bytes, at most " +
                           std::to_string(*settings_.at_most) + " may come",
                       "leave at_most out to take any");
    write_size(context.output("report"), *bytes);
}

void Upper::run(RunContext& context) {
    std::string out = read_text(context.input("text"));
    for (char& c : out)
        if (c >= 'a' && c <= 'z')
            c = static_cast<char>(c - 'a' + 'A');
    write_text(context.output("report"), out);
    context.text(out);
}

namespace {

void leave_behind(NoopSettings::Leaves what) {
    using Leaves = NoopSettings::Leaves;
    switch (what) {
        case Leaves::nothing:
            return;
        case Leaves::thread:
            std::thread([] { ::pause(); }).detach();
            return;
        case Leaves::child:
            if (::fork() == 0)
                for (;;)
                    ::pause();
            return;
        case Leaves::file:
            for (int i = 0; i < 3; ++i)
                (void)!::open("/dev/null", O_RDONLY | O_CLOEXEC);
            return;
        case Leaves::folder:
            (void)!::chdir("/");
            return;
    }
}

}  // namespace

void Noop::run(RunContext& context) {
    leave_behind(settings_.leaves);
    std::ofstream(context.output("report") / "text.txt") << settings_.name;
}

}  // namespace stillroom::toy
