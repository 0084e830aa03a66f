#pragma once

#include "plugins/data/block_encoder.h"
#include "plugins/data/growing_pair.h"
#include "plugins/lm/data/dataset_folder.h"

#include <atomic>
#include <string>
#include <vector>

namespace stillroom::data {

/// What goes into which output, and when to stop.
struct WriteRules {
    std::vector<std::string> keys;
    lm::TokenType type = lm::TokenType::i32;
    double holdout = 0;  ///< share of the documents that go into `valid`
    std::int64_t seed = 0;
    std::int64_t most_tokens = 0;  ///< of `data`, all keys together; 0: all
};

/// What was done, from the first row on.
struct Tally {
    std::uint64_t documents = 0;  ///< rows, whatever their keys
    std::uint64_t tokens = 0;     ///< of all outputs
    std::uint64_t skipped = 0;    ///< rows that were none
};

/// A document is held out if the SHA-256 of "SEED/INDEX", its first 53 bits read as a fraction,
/// is below the share; documents are counted over all files, from 0.
bool is_held_out(std::int64_t seed, std::uint64_t document, double share);

/// Takes encoded blocks in their order. What it keeps in the stage's work() is saved from time to
/// time, and gone on with by the next one that is made for the same files.
class DocumentWriter {
public:
    /// Nothing else has written to work(), or this one was made for other files: begins anew.
    DocumentWriter(RunContext& context,
                   const WriteRules& rules,
                   const std::vector<lm::TextFile>& files);

    const TextPlace& place() const { return place_; }  ///< where reading goes on
    const Tally& tally() const { return tally_; }

    /// False when there are tokens enough. Throws Error: exit 3 for a block with trouble, 4 for the
    /// disk.
    bool add(const EncodedBlock& block);

    void save();

    /// Writes the outputs; what they hold, for dataset.json.
    std::vector<lm::DatasetPart> finish(const std::string& output);

    /// As of the last block, from any thread.
    std::uint64_t taken() const { return taken_; }
    std::uint64_t tokens() const { return tokens_; }

private:
    struct Pair {
        std::string output;  ///< "data", "valid"
        std::string key;
        GrowingPair files;
    };

    std::string state_text() const;
    bool resume();
    void begin();
    void warn_of_skipped(const EncodedBlock& block);
    void add_run(const EncodedBlock& block, std::size_t first, std::size_t last, bool valid);
    [[noreturn]] void refuse(const RowTrouble& trouble, std::size_t file) const;
    std::string place_text(const RowTrouble& trouble, std::size_t file) const;

    RunContext& context_;
    const WriteRules& rules_;
    const std::vector<lm::TextFile>& files_;
    std::string inputs_;  ///< which files these are
    TextPlace place_;
    std::uint64_t line_ = 0;  ///< lines of this file before place_
    std::uint64_t data_tokens_ = 0;
    Tally tally_;
    std::vector<Pair> pairs_;            ///< of data, then of valid
    std::vector<std::size_t> ids_from_;  ///< of the next run of documents, by key
    std::atomic<std::uint64_t> taken_{0}, tokens_{0};
};

}  // namespace stillroom::data
