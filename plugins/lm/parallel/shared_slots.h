#pragma once

#include "engine/base/api.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace stillroom::lm {

/// Memory that the ranks of one host share to speak to each other, be they processes or threads:
/// each has a slot to write in, which the others read. Round by round everybody says one thing and
/// hears what all say, so nobody is ahead by more than a round, and two slots each make that safe:
///
///     fill(slots.own());
///     slots.say();
///     for (int rank = 0; rank < slots.size(); rank++)
///         use(slots.of(rank));  // waits for it
///
/// The memory has no name and goes with the last who has it.
class STILLROOM_API SharedSlots {
public:
    static constexpr std::size_t kBytes = 512 << 10;  ///< of a slot; slots begin on a page

    /// Everybody's text, in the order of their ranks.
    using Exchange = std::function<std::vector<std::string>(const std::string& mine)>;

    /// Called by all ranks. None, for all of them, where they are not on one host or cannot see
    /// each other's memory.
    static std::unique_ptr<SharedSlots> meet(int self,
                                             std::chrono::milliseconds deadline,
                                             const Exchange& exchange);
    ~SharedSlots();

    int self() const { return self_; }
    int size() const;

    /// Where to write what this round says. What of() gave is not to be read any more.
    std::byte* own();
    void say();

    /// What a rank says in this round. Throws std::runtime_error where it is gone, or says nothing
    /// until the deadline.
    const std::byte* of(int rank) const;

private:
    class Memory;

    SharedSlots(std::vector<Memory> memories, int self, std::chrono::milliseconds deadline);

    std::vector<Memory> memories_;  ///< of each rank
    int self_;
    std::chrono::milliseconds deadline_;
    std::uint32_t round_ = 0;
};

}  // namespace stillroom::lm
