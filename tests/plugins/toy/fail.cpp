#include "tests/plugins/toy/fail.h"

#include "engine/base/files.h"
#include "engine/base/json_value.h"

#include <csignal>
#include <cstdlib>
#include <limits>
#include <new>
#include <thread>
#include <vector>

namespace stillroom::toy {
namespace fs = std::filesystem;
namespace {

/// Tries are counted in work(), which a failed try leaves.
std::int64_t count_try(const fs::path& work, int rank) {
    fs::path file = work / ("tries-" + std::to_string(rank) + ".json");
    std::int64_t tries = fs::exists(file) ? Json::parse(read_file(file, 64)).integer() + 1 : 1;
    write_file(file, std::to_string(tries));
    return tries;
}

[[noreturn]] void stand_still() {
    while (true)
        std::this_thread::sleep_for(std::chrono::seconds(1));
}

/// More than there is, or 4 GiB where that is a lot.
[[noreturn]] void eat_memory() {
    constexpr std::size_t kBlock = std::size_t{1} << 20;
    static std::vector<std::vector<char>> blocks;
    while (blocks.size() < 4096)
        blocks.emplace_back(kBlock, 'x');
    throw std::bad_alloc();
}

[[noreturn]] void signal_ourselves(int signal) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
    stand_still();
}

}  // namespace

void Fail::fail(const StageContext& context) const {
    using How = Settings::How;
    switch (settings_.how) {
        case How::refuse:
            context.refuse(Settings::Key().how, settings_.message, "let it fail another way");
        case How::nan:
            throw Error({}, "the loss is not a number").exit_code(kExitNumeric);
        case How::throw_:
            throw 42;
        case How::exit:
            std::_Exit(static_cast<int>(settings_.code));
        case How::abort:
            std::abort();
        case How::segv:
            signal_ourselves(SIGSEGV);
        case How::kill:
            signal_ourselves(SIGKILL);
        case How::silent:
            signal_ourselves(SIGSTOP);
        case How::hang:
            stand_still();
        case How::alloc:
            throw std::bad_alloc();
        case How::eat:
            eat_memory();
        case How::error:
        case How::gate:
        case How::nothing:
            break;
    }
    throw Error({}, settings_.message)
        .key(Settings::Key().how)
        .hint("it was asked to")
        .exit_code(static_cast<int>(settings_.code));
}

void Fail::describe(DescribeContext& context) const {
    if (settings_.at == Settings::At::describe)
        fail(context);
    write_size(context.output("report"), 0);
}

void Fail::run(RunContext& context) {
    const int rank = context.rank().rank;
    std::int64_t tries = count_try(context.work(), rank);
    context.log(LogLevel::warning, "try " + std::to_string(tries));
    if (!wait(context, settings_.seconds))
        return;
    bool ours = !settings_.rank || *settings_.rank == rank;
    bool well = settings_.how == Settings::How::nothing || settings_.at == Settings::At::describe ||
                !ours || (settings_.until_try && tries >= *settings_.until_try);
    if (settings_.how == Settings::How::nan)
        context.metric("loss", std::numeric_limits<double>::quiet_NaN(), 1);
    if (!well && settings_.how != Settings::How::gate)
        fail(context);
    if (rank == 0)
        write_text(context.output("report"), "");
    if (!well)
        context.gate(settings_.message);
}

}  // namespace stillroom::toy
