#include "plugins/lm/tokenizer/merge_long.h"

#include <algorithm>
#include <bit>
#include <queue>

// What is to be done waits by its rank. In a word of some thousand tokens a heap holds it; in a
// longer one a list for each rank does, with a bit for each that is not empty: a task costs a few
// instructions wherever its rank stands. Work of the present rank or a lower one that a merge
// makes, as training seldom leaves it, goes by a heap before the rest.

namespace stillroom::lm {
namespace {

constexpr std::uint32_t kNone = PairRanks::kNone;
constexpr std::size_t kHeapBelow = 4096;

struct Task {
    std::uint32_t rank = 0;
    std::uint32_t place = 0;
};

class Heap {
public:
    explicit Heap(std::size_t) {}

    void push(Task task) { tasks_.push(static_cast<std::uint64_t>(task.rank) << 32 | task.place); }
    bool pop(Task& task) {
        if (tasks_.empty())
            return false;
        task = {static_cast<std::uint32_t>(tasks_.top() >> 32),
                static_cast<std::uint32_t>(tasks_.top())};
        tasks_.pop();
        return true;
    }
    /// Only what goes before that place of that rank.
    bool pop_before(std::uint32_t place, std::int64_t rank, Task& task) {
        if (tasks_.empty())
            return false;
        auto first = static_cast<std::int64_t>(tasks_.top() >> 32);
        bool before = first < rank || static_cast<std::uint32_t>(tasks_.top()) < place;
        return before && pop(task);
    }

private:
    std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> tasks_;
};

class RankLists {
public:
    explicit RankLists(std::size_t ranks) : heads_(ranks, kNone), waiting_(ranks / 64 + 1) {}

    void push(Task task) {
        if (task.rank <= current_) {
            early_.push(task);
            return;
        }
        std::uint32_t& head = heads_[task.rank];
        nodes_.push_back({task.place, head});
        head = static_cast<std::uint32_t>(nodes_.size() - 1);
        waiting_[task.rank / 64] |= std::uint64_t{1} << task.rank % 64;
    }

    bool pop(Task& task) {
        if (early_.pop_before(next_ < places_.size() ? places_[next_] : kNone, current_, task))
            return true;
        if (next_ == places_.size() && !take_lowest())
            return false;
        task = {static_cast<std::uint32_t>(current_), places_[next_++]};
        return true;
    }

private:
    struct Node {
        std::uint32_t place;
        std::uint32_t next;
    };

    /// The places of the lowest rank, from left to right. All ranks that wait are above current_.
    bool take_lowest() {
        auto word = static_cast<std::size_t>(current_ + 1) / 64;
        while (word < waiting_.size() && waiting_[word] == 0)
            ++word;
        if (word == waiting_.size())
            return false;
        auto bit = static_cast<std::size_t>(std::countr_zero(waiting_[word]));
        waiting_[word] &= waiting_[word] - 1;
        std::size_t rank = word * 64 + bit;
        current_ = static_cast<std::int64_t>(rank);
        places_.clear();
        next_ = 0;
        for (std::uint32_t i = heads_[rank]; i != kNone; i = nodes_[i].next)
            places_.push_back(nodes_[i].place);
        std::reverse(places_.begin(), places_.end());
        if (!std::is_sorted(places_.begin(), places_.end()))
            std::sort(places_.begin(), places_.end());
        return true;
    }

    std::vector<std::uint32_t> heads_;  // of a rank's list
    std::vector<Node> nodes_;
    std::vector<std::uint64_t> waiting_;  // a bit for each rank whose list is not empty
    std::vector<std::uint32_t> places_;   // of the current rank
    std::size_t next_ = 0;
    std::int64_t current_ = -1;
    Heap early_{0};  // of the current rank or a lower one
};

template <class Tasks>
void merge_by(std::vector<Symbol>& symbols, const PairRanks& pairs) {
    struct Link {
        std::uint32_t before;
        std::uint32_t next;
    };
    auto n = static_cast<std::uint32_t>(symbols.size());
    std::vector<Link> links(n);
    for (std::uint32_t i = 0; i < n; ++i)
        links[i] = {i == 0 ? kNone : i - 1, i + 1 == n ? kNone : i + 1};
    auto rank_at = [&](std::uint32_t i) {
        std::uint32_t next = links[i].next;
        return next == kNone ? kNone : pairs.find(symbols[i].id, symbols[next].id);
    };
    Tasks tasks(pairs.ranks());
    auto wait = [&](std::uint32_t i) {
        if (std::uint32_t rank = rank_at(i); rank != kNone)
            tasks.push({rank, i});
    };
    for (std::uint32_t i = 0; i < n; ++i)
        wait(i);
    for (Task task; tasks.pop(task);) {
        std::uint32_t i = task.place;
        if (symbols[i].size == 0 || rank_at(i) != task.rank)
            continue;  // merged away, or another pair by now
        std::uint32_t gone = links[i].next;
        symbols[i].id = pairs.made(task.rank);
        symbols[i].size += symbols[gone].size;
        symbols[gone].size = 0;
        links[i].next = links[gone].next;
        if (links[i].next != kNone)
            links[links[i].next].before = i;
        wait(i);
        if (links[i].before != kNone)
            wait(links[i].before);
    }
    std::erase_if(symbols, [](const Symbol& symbol) { return symbol.size == 0; });
}

}  // namespace

void merge_long(std::vector<Symbol>& symbols, const PairRanks& pairs) {
    if (symbols.size() < kHeapBelow)
        merge_by<Heap>(symbols, pairs);
    else
        merge_by<RankLists>(symbols, pairs);
}

}  // namespace stillroom::lm
