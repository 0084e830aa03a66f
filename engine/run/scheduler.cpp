#include "engine/run/scheduler.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace stillroom {
namespace {

constexpr auto kFirstDelay = std::chrono::seconds(1);
constexpr auto kLongestDelay = std::chrono::seconds(60);

std::chrono::seconds delay_after(int tries) {
    auto delay = kFirstDelay;
    for (int i = 1; i < tries && delay < kLongestDelay; ++i)
        delay *= 2;
    return std::min<std::chrono::seconds>(delay, kLongestDelay);
}

}  // namespace

Scheduler::Scheduler(std::vector<Task> tasks, Capacity capacity, bool keep_going)
    : tasks_(std::move(tasks)),
      entries_(tasks_.size()),
      after_(tasks_.size()),
      capacity_(capacity),
      keep_going_(keep_going),
      open_(tasks_.size()),
      device_taken_(static_cast<std::size_t>(std::max(capacity.devices, 0)), false) {
    for (std::size_t task = 0; task < tasks_.size(); ++task) {
        for (std::size_t before : tasks_[task].before) {
            assert(before != task && "a graph without cycles was promised");
            after_[before].push_back(task);
        }
        entries_[task].missing = tasks_[task].before.size();
        if (entries_[task].missing == 0)
            make_ready(task);
    }
}

Scheduler::Kind Scheduler::kind_of(std::size_t task) const {
    const Needs& needs = tasks_[task].needs;
    return needs.compute ? compute : needs.brief ? brief : beside;
}

/// One more of the brief ones than there are cores: while it is begun or heard out, which takes as
/// long as such a task itself, the others keep the cores busy.
bool Scheduler::has_place(Kind kind) const {
    int cores = std::max(capacity_.cores, 1);
    return kind == compute || at_work_[kind] < (kind == brief ? cores + 1 : cores);
}

std::set<std::size_t>& Scheduler::ready(std::size_t task) {
    return ready_[kind_of(task)];
}

void Scheduler::make_ready(std::size_t task) {
    entries_[task].state = TaskState::ready;
    ready(task).insert(task);
}

bool Scheduler::take(std::size_t task) {
    const Needs& needs = tasks_[task].needs;
    Progress& entry = entries_[task];
    bool alone = running_ == 0;  // what is too large for the machine still runs, by itself
    if (capacity_.memory > 0 && memory_taken_ + needs.memory > capacity_.memory && !alone)
        return false;
    if (!has_place(kind_of(task)))
        return false;
    if (!needs.compute) {
        // A place is all that it takes.
    } else if (needs.devices == 0 && needs.device < 0) {
        if (cores_taken_)
            return false;
        cores_taken_ = entry.took_cores = true;
    } else {
        std::vector<int> free;
        for (int device = 0; device < capacity_.devices; ++device)
            if (!device_taken_[static_cast<std::size_t>(device)] &&
                (needs.device < 0 || needs.device == device))
                free.push_back(device);
        int wanted = needs.device >= 0 ? 1 : std::min(needs.devices, capacity_.devices);
        if (static_cast<int>(free.size()) < wanted)
            return false;
        free.resize(static_cast<std::size_t>(wanted));
        for (int device : free)
            device_taken_[static_cast<std::size_t>(device)] = true;
        entry.devices = std::move(free);
    }
    ++at_work_[kind_of(task)];
    memory_taken_ += needs.memory;
    ++running_;
    entry.holds = true;
    return true;
}

void Scheduler::give_back(std::size_t task) {
    Progress& entry = entries_[task];
    if (!std::exchange(entry.holds, false))
        return;
    --at_work_[kind_of(task)];
    if (entry.took_cores)
        cores_taken_ = entry.took_cores = false;
    for (int device : entry.devices)
        device_taken_[static_cast<std::size_t>(device)] = false;
    entry.devices.clear();
    memory_taken_ -= tasks_[task].needs.memory;
    --running_;
}

/// The first task by order, of all kinds, whose needs can be had. With every place taken no task of
/// a kind can begin, and a thousand ready ones are not asked.
std::optional<std::size_t> Scheduler::take_first() {
    std::array<std::set<std::size_t>::iterator, kKinds> at;
    for (Kind kind : {compute, beside, brief})
        at[kind] = has_place(kind) ? ready_[kind].begin() : ready_[kind].end();
    for (;;) {
        std::optional<Kind> first;
        for (Kind kind : {compute, beside, brief})
            if (at[kind] != ready_[kind].end() && (!first || *at[kind] < *at[*first]))
                first = kind;
        if (!first)
            return std::nullopt;
        std::size_t task = *at[*first];
        if (take(task)) {
            ready_[*first].erase(at[*first]);
            return task;
        }
        ++at[*first];
    }
}

std::optional<std::size_t> Scheduler::next(Moment now) {
    for (auto it = delayed_.begin(); it != delayed_.end();) {
        if (entries_[*it].not_before <= now) {
            ready(*it).insert(*it);
            it = delayed_.erase(it);
        } else {
            ++it;
        }
    }
    std::optional<std::size_t> task = take_first();
    if (!task)
        return std::nullopt;
    entries_[*task].state = TaskState::running;
    ++entries_[*task].tries;
    return task;
}

void Scheduler::close(std::size_t task, TaskState state) {
    entries_[task].state = state;
    --open_;
}

void Scheduler::rests(std::size_t task) {
    assert(entries_[task].state == TaskState::running);
    give_back(task);
}

void Scheduler::done(std::size_t task) {
    assert(entries_[task].state == TaskState::running);
    give_back(task);
    close(task, TaskState::done);
    for (std::size_t next : after_[task])
        if (--entries_[next].missing == 0 && entries_[next].state == TaskState::waiting)
            make_ready(next);
}

void Scheduler::skip_after(std::size_t task, const std::string& reason) {
    std::vector<std::size_t> open{task};
    while (!open.empty()) {
        std::size_t at = open.back();
        open.pop_back();
        for (std::size_t next : after_[at]) {
            if (entries_[next].state != TaskState::waiting)
                continue;
            entries_[next].reason = reason;
            close(next, TaskState::skipped);
            open.push_back(next);
        }
    }
}

void Scheduler::failed(std::size_t task, Moment now, bool may_retry) {
    assert(entries_[task].state == TaskState::running);
    give_back(task);
    Progress& entry = entries_[task];
    if (may_retry && entry.tries <= tasks_[task].retries) {
        delay(task, now + delay_after(entry.tries));
        return;
    }
    close(task, TaskState::failed);
    std::string reason = tasks_[task].name + " failed";
    skip_after(task, reason);
    if (keep_going_)
        return;
    failed_groups_.emplace(tasks_[task].group, reason);
    for (std::size_t other = 0; other < tasks_.size(); ++other) {
        TaskState state = entries_[other].state;
        if (tasks_[other].group != tasks_[task].group ||
            (state != TaskState::waiting && state != TaskState::ready))
            continue;
        ready(other).erase(other);
        delayed_.erase(other);
        entries_[other].reason = reason;
        close(other, TaskState::skipped);
    }
}

/// Ready again from a moment on, unless meanwhile nothing more may begin.
void Scheduler::delay(std::size_t task, Moment until) {
    auto failure = failed_groups_.find(tasks_[task].group);
    if (stopped_ || failure != failed_groups_.end()) {
        entries_[task].reason = stopped_ ? "stopped" : failure->second;
        close(task, TaskState::skipped);
        skip_after(task, entries_[task].reason);
        return;
    }
    entries_[task].state = TaskState::ready;
    entries_[task].not_before = until;
    delayed_.insert(task);
}

void Scheduler::postpone(std::size_t task, Moment until) {
    assert(entries_[task].state == TaskState::running);
    give_back(task);
    --entries_[task].tries;
    delay(task, until);
}

void Scheduler::stop() {
    stopped_ = true;
    for (std::size_t task = 0; task < tasks_.size(); ++task) {
        TaskState state = entries_[task].state;
        if (state == TaskState::waiting || state == TaskState::ready) {
            entries_[task].reason = "stopped";
            close(task, TaskState::skipped);
        }
    }
    for (std::set<std::size_t>& ready : ready_)
        ready.clear();
    delayed_.clear();
}

std::optional<Moment> Scheduler::wake() const {
    std::optional<Moment> earliest;
    for (std::size_t task : delayed_)
        if (!earliest || entries_[task].not_before < *earliest)
            earliest = entries_[task].not_before;
    return earliest;
}

}  // namespace stillroom
