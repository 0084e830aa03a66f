#include "tests/plugins/toy/work.h"

#include "engine/base/files.h"
#include "engine/base/json_value.h"

#include <chrono>

namespace stillroom::toy {
namespace fs = std::filesystem;
namespace {

std::string lines(std::int64_t steps) {
    std::string out;
    for (std::int64_t step = 1; step <= steps; ++step)
        out += "step " + std::to_string(step) + "\n";
    return out;
}

fs::path line_file(const fs::path& work, int rank) {
    return work / ("rank-" + std::to_string(rank) + ".txt");
}

}  // namespace

void Count::describe(DescribeContext& context) const {
    write_size(context.output("report"), static_cast<std::int64_t>(lines(settings_.steps).size()));
    Cost cost;
    cost.seconds = static_cast<double>(settings_.steps) * settings_.step_seconds;
    context.cost(cost);
}

void Count::run(RunContext& context) {
    bool first = context.rank().rank == 0;
    fs::path state = context.work() / "state.json";
    std::int64_t done = 0, saved = 0;
    if (fs::exists(state)) {
        done = saved = Json::parse(read_file(state, 4096)).at("step").integer();
        context.log(LogLevel::info, "going on after step " + std::to_string(done));
    }
    auto save = [&] {
        if (settings_.save_every == 0 || saved == done)
            return;
        if (first)
            write_file(state, "{\"step\":" + std::to_string(done) + "}\n");
        saved = done;
        context.saved();
    };
    while (done < settings_.steps) {
        if (!wait(context, settings_.step_seconds)) {
            save();
            return;
        }
        ++done;
        context.log(LogLevel::info, "step " + std::to_string(done));
        context.metric("value", static_cast<double>(done), done);
        context.progress(static_cast<double>(done) / static_cast<double>(settings_.steps),
                         "counting");
        if (settings_.save_every > 0 && done % settings_.save_every == 0)
            save();
    }
    if (first)
        write_text(context.output("report"), lines(settings_.steps));
}

void Sleep::describe(DescribeContext& context) const {
    write_size(context.output("report"), static_cast<std::int64_t>(settings_.name.size()));
    Cost cost;
    cost.seconds = settings_.seconds;
    context.cost(cost);
}

void Sleep::run(RunContext& context) {
    if (wait(context, settings_.seconds) && context.rank().rank == 0)
        write_text(context.output("report"), settings_.name);
}

bool Ranks::wait_for(RunContext& context, const fs::path& file) const {
    using Clock = std::chrono::steady_clock;
    auto end = Clock::now() + std::chrono::duration<double>(settings_.seconds);
    while (!fs::exists(file)) {
        if (Clock::now() > end)
            throw Error({},
                        "rank " + std::to_string(context.rank().rank) + " waited for " +
                            file.filename().string() + " in vain")
                .exit_code(kExitRanks);
        if (!wait(context, 0.01))
            return false;
    }
    return true;
}

void Ranks::run(RunContext& context) {
    const Rank& rank = context.rank();
    fs::path work = context.work();
    write_file(line_file(work, rank.rank),
               "rank " + std::to_string(rank.rank) + " of " + std::to_string(rank.world) + "\n");
    context.log(LogLevel::info, "here");
    if (rank.rank != 0) {
        wait_for(context, work / "done");
        return;
    }
    std::string out;
    for (int other = 0; other < rank.world; ++other) {
        if (!wait_for(context, line_file(work, other)))
            return;
        out += read_file(line_file(work, other), 4096);
    }
    write_text(context.output("report"), out);
    context.text(out);
    write_file(work / "done", "");
}

}  // namespace stillroom::toy
