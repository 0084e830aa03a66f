#include "engine/run/decisions.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/host.h"
#include "engine/base/json.h"
#include "engine/document/document.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <thread>

namespace stillroom {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20;
constexpr auto kPause = std::chrono::milliseconds(20);

}  // namespace

Decisions::Decisions(std::filesystem::path work, int rank, int threads, double seconds)
    : file_(work / "decided.json"),
      rank_(rank),
      threads_(threads),
      seconds_(seconds) {}

std::optional<Decisions::State> Decisions::read() const {
    std::error_code error;
    if (!std::filesystem::exists(file_, error))
        return std::nullopt;
    Sources sources;
    Diagnostics diagnostics;
    Document document =
        read_json(sources.add(file_.string(), read_file(file_, kMostBytes)), {}, diagnostics);
    auto text_of = [](const NodePtr& node) {
        return node && node->kind == Kind::string ? node->text : std::string();
    };
    NodePtr root = document.root;
    NodePtr values = root ? root->get("decided") : nullptr;
    NodePtr threads = root ? root->get("threads") : nullptr;
    if (!diagnostics.ok() || !values || !values->is_map() || !threads)
        throw Error({}, fmt::format("{} is damaged", file_.string()))
            .hint("the work cannot be gone on with: remove its folder and run again")
            .exit_code(kExitIntegrity);
    State state;
    state.machine = text_of(root->get("machine"));
    state.threads = std::atoi(threads->text.c_str());
    for (const Entry& entry : values->entries)
        state.values[entry.key] = text_of(entry.value);
    return state;
}

void Decisions::write(const State& state) const {
    JsonWriter out(1);
    out.begin_object();
    out.key("machine");
    out.string(state.machine);
    out.key("threads");
    out.integer(state.threads);
    out.key("decided");
    out.begin_object();
    for (const auto& [name, value] : state.values) {
        out.key(name);
        out.string(value);
    }
    out.end_object();
    out.end_object();
    make_folders(file_.parent_path());
    write_file(file_, out.take() + "\n");
}

std::string Decisions::compare(const std::string& machine) const {
    std::optional<State> state = read();
    if (!state)
        return {};
    if (state->machine != machine)
        throw Error({},
                    fmt::format("this work was begun on a machine of class {}, this one is {}",
                                state->machine,
                                machine))
            .hint(fmt::format("go on with it on such a machine, or remove {} to begin anew",
                              file_.parent_path().string()))
            .exit_code(kExitIntegrity);
    if (state->threads == threads_)
        return {};
    return fmt::format(
        "this work was begun with {} threads a rank and goes on with {}: its "
        "numbers may differ in their last digits",
        state->threads,
        threads_);
}

void Decisions::begin() {
    std::lock_guard lock(mutex_);
    if (begun_)
        return;
    if (rank_ == 0 && !read())
        write({machine_class(), threads_, {}});
    begun_ = true;
}

std::string Decisions::decided(std::string_view name, const std::function<std::string()>& decide) {
    std::lock_guard lock(mutex_);
    auto give_up = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds_);
    for (;;) {
        std::optional<State> state = read();
        if (state)
            if (auto found = state->values.find(name); found != state->values.end())
                return found->second;
        if (rank_ == 0) {
            State next = state ? *state : State{machine_class(), threads_, {}};
            std::string value = decide();
            next.values[std::string(name)] = value;
            write(next);
            begun_ = true;
            return value;
        }
        if (std::chrono::steady_clock::now() > give_up)
            throw Error({}, fmt::format("rank 0 did not decide '{}' in {} s", name, seconds_))
                .exit_code(kExitRanks);
        std::this_thread::sleep_for(kPause);
    }
}

}  // namespace stillroom
