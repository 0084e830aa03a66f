#pragma once

#include "engine/base/descriptor.h"
#include "plugins/lm/data/indexed_dataset.h"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace stillroom {
class RunContext;
}

namespace stillroom::data {

/// A `.bin` and an `.idx` in the making, in three files that only grow: tokens, lengths of the
/// documents, digests of the tokens. What was saved can be gone on with; it becomes a dataset at
/// the end alone, by a rename.
class GrowingPair {
public:
    struct Saved {
        std::int64_t documents = 0;
        std::int64_t tokens = 0;
    };

    /// True if the files at `stem` hold at least that much.
    static bool holds(const std::filesystem::path& stem, lm::TokenType type, const Saved& saved);

    /// Goes on behind what was saved; what else lies there is cut off. Throws Error (exit 4).
    GrowingPair(std::filesystem::path stem, lm::TokenType type, const Saved& saved);
    ~GrowingPair();
    GrowingPair(GrowingPair&&) = default;

    /// Documents back to back. One of length 0 becomes a document without a sequence, as Megatron
    /// has it.
    void add(std::span<const std::uint32_t> ids, std::span<const std::int32_t> lengths);

    Saved size() const { return size_; }
    void save();  ///< on the disk

    /// PREFIX.bin and PREFIX.idx, in an output of the stage.
    void finish(RunContext& context, const std::filesystem::path& prefix);

private:
    /// A file that is appended to.
    struct Tail {
        std::filesystem::path path;
        Descriptor file;

        void open(const std::filesystem::path& at, std::uint64_t keep);
        void append(std::string_view bytes);
    };

    void resume();
    void write_chunk();
    void take_hash();
    void write_lengths();
    std::uint64_t bytes() const;

    std::filesystem::path stem_;
    lm::TokenType type_;
    Saved size_;
    Tail tokens_, lengths_, hashes_;
    std::shared_ptr<std::string> chunk_;  // of 8 MiB, the last one, not yet full
    std::size_t written_ = 0;             // bytes of it that are in the file
    std::deque<std::future<std::string>> hashing_;
    std::vector<std::int32_t> new_lengths_;
};

}  // namespace stillroom::data
