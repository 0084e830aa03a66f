#include "tests/plugins/toy/outside.h"

#include "engine/base/files.h"

#include <cstdlib>

namespace stillroom::toy {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLongest = std::size_t{64} << 20;

}  // namespace

void Source::describe(DescribeContext& context) const {
    std::error_code error;
    std::uintmax_t bytes = fs::file_size(settings_.folder / "text.txt", error);
    if (error)
        context.refuse(Settings::Key().folder,
                       "there is no text.txt in " + settings_.folder.string(),
                       "name a folder that holds one");
    write_size(context.output("report"), static_cast<std::int64_t>(bytes));
}

void Source::run(RunContext& context) {
    fs::path file = settings_.folder / "text.txt";
    if (settings_.claimed)
        context.hashed(file, fs::file_size(file), *settings_.claimed);
    context.bind("report", settings_.folder, {});
}

void Read::describe(DescribeContext& context) const {
    std::error_code error;
    std::uintmax_t bytes = fs::file_size(settings_.file, error);
    if (!error && !settings_.behind)
        write_size(context.output("report"), static_cast<std::int64_t>(bytes));
}

void Read::run(RunContext& context) {
    std::string out = read_file(settings_.file, kLongest);
    if (settings_.behind) {
        context.reads(*settings_.behind);
        out += read_file(*settings_.behind, kLongest);
    }
    write_text(context.output("report"), out);
    context.text(out);
}

void Export::run(RunContext& context) {
    if (settings_.to.has_parent_path())
        fs::create_directories(settings_.to.parent_path());
    write_file(settings_.to, read_text(context.input("text")));
}

void Env::run(RunContext& context) {
    std::string out;
    for (const std::string& name : settings_.names) {
        const char* value = std::getenv(name.c_str());
        out += value ? name + "=" + value + "\n" : name + " is not set\n";
    }
    if (settings_.token) {
        const char* value = std::getenv(settings_.token->c_str());
        out += value ? "the token has " + std::to_string(std::string(value).size()) + " bytes\n"
                     : "the token is not set\n";
    }
    write_text(context.output("report"), out);
    context.text(out);
}

}  // namespace stillroom::toy
