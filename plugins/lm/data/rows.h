#pragma once

#include "plugins/lm/data/blend_order.h"
#include "plugins/lm/data/dataset_folder.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace stillroom::lm {

/// A dataset's tokens in rows of one length and in order: what calibration and held-out scores
/// read. All documents of a pair of files are one stream, cut every `length` tokens; only its last
/// row is short, and comes where `short_last` asks for it.
///
/// Several pairs are streams of their own whose rows are mixed in the order of a blend: by weight,
/// until the one whose turn it is has no whole row left; else by size, one pass each, short rows
/// last.
class STILLROOM_API Rows {
public:
    struct Options {
        std::int64_t length = 4096;  ///< tokens of a row
        bool short_last = true;
        std::int64_t vocabulary = 0;  ///< ids are below it; 0: what the dataset itself says
    };

    /// Throws Error (exit 3) as open_dataset does.
    static Rows open(const std::filesystem::path& folder, const Options& options);
    Rows(DatasetFolder data, const Options& options);

    const DatasetInfo& info() const { return data_.info; }
    std::int64_t size() const { return order_.size(); }
    std::int64_t length() const { return options_.length; }
    std::int64_t length(std::int64_t row) const;  ///< less for a short row
    std::int64_t tokens() const;                  ///< of all rows

    /// Copies a row to the front of `into`, which holds length(row) or more, and returns how many
    /// tokens it has. Throws Error (exit 3) for an id that is not in the vocabulary. From several
    /// threads at once.
    std::int64_t read(std::int64_t row, std::span<std::int32_t> into) const;

    /// Where documents end inside a row: 0, ends in rising order, its length. Sequences between
    /// two of them see each other; documents without tokens are left out.
    std::vector<std::int32_t> bounds(std::int64_t row) const;

private:
    DatasetFolder data_;
    Options options_;
    BlendOrder order_;
};

/// What `Rows` would have of a dataset that is only described: a range, or open.
STILLROOM_API Count count_rows(const DatasetInfo& info, std::int64_t length, bool short_last);

}  // namespace stillroom::lm
