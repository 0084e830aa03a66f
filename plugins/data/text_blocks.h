#pragma once

#include "plugins/lm/data/text_files.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::data {

inline constexpr std::size_t kLargestDocument = std::size_t{256} << 20;

/// Where reading stands, always between two rows.
struct TextPlace {
    std::size_t file = 0;
    std::uint64_t offset = 0;  ///< unpacked bytes of lines and texts, rows of columns
};

/// A piece of a file, for one thread to work on.
struct TextBlock {
    static constexpr std::size_t kNull = ~std::size_t{0};

    std::size_t file = 0;
    bool first = false;  ///< of its file
    std::string bytes;   ///< whole lines, a document, or texts of columns back to back
    /// Of columns: where the texts end in `bytes`, row by row, each row as many as there are keys;
    /// kNull for one that is null.
    std::vector<std::size_t> ends;
    std::string fault;        ///< why nothing can follow; empty: nothing is wrong
    TextPlace end;            ///< behind it
    std::uint64_t taken = 0;  ///< bytes of all files, as they lie on the disk, up to there
};

/// The files' rows in their order, in blocks of about a MiB. For one thread at a time.
class TextBlocks {
public:
    /// `keys`: of the columns that are read.
    TextBlocks(std::vector<lm::TextFile> files, std::vector<std::string> keys, TextPlace from);
    ~TextBlocks();

    /// False at the end. Throws Error (exit 3) for a file that cannot be read.
    bool next(TextBlock& block);

    const std::vector<lm::TextFile>& files() const { return files_; }

private:
    class Reader;
    class Lines;
    class Document;
    class Columns;

    void open();

    std::vector<lm::TextFile> files_;
    std::vector<std::string> keys_;
    TextPlace at_;
    std::uint64_t before_ = 0;  // bytes of the files before this one
    std::unique_ptr<Reader> reader_;
};

}  // namespace stillroom::data
