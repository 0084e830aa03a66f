#pragma once

#include "plugins/lm/data/indexed_dataset.h"
#include "plugins/lm/weights/file_sink.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace stillroom {
class RunContext;
}

namespace stillroom::lm {

/// What Megatron's preprocessor would store ids in: u16 below 65,500 of them, else i32.
STILLROOM_API TokenType token_type_for(std::int64_t vocabulary);

/// The content of an `.idx`: the lengths of all sequences, and where documents begin and end among
/// them; without bounds each sequence is a document.
STILLROOM_API void write_index(FileSink& sink,
                               TokenType type,
                               std::span<const std::int32_t> lengths,
                               std::span<const std::int64_t> bounds);

/// Writes PREFIX.bin and PREFIX.idx, byte for byte as Megatron does. Tokens go to the disk as they
/// come; of a document its length is kept. The index is written by close(), under a passing name
/// first: without close() there is no index, and so no dataset.
class STILLROOM_API IndexedWriter {
public:
    /// In an output of a stage: digests are worked out meanwhile.
    IndexedWriter(RunContext& context, std::filesystem::path prefix, TokenType type);
    /// Anywhere else. Throws Error (exit 4) if PREFIX.bin is there already.
    IndexedWriter(std::filesystem::path prefix, TokenType type);
    ~IndexedWriter();
    IndexedWriter(IndexedWriter&&) noexcept;
    IndexedWriter& operator=(IndexedWriter&&) noexcept;

    /// A document of one sequence, which may be empty. Throws Error (exit 3) for an id that the
    /// type does not hold.
    void add_document(std::span<const std::uint32_t> ids);

    /// Documents whose tokens are little-endian numbers of the type already, back to back.
    void add_documents(std::span<const std::int32_t> lengths, std::span<const std::byte> tokens);

    /// A sequence of the document at hand, for documents of several.
    void add_sequence(std::span<const std::uint32_t> ids);
    void end_document();

    TokenType type() const { return type_; }
    std::int64_t documents() const;
    std::int64_t tokens() const { return tokens_; }

    /// Ends the `.bin`, then writes the `.idx`: both are on the disk when it returns.
    void close();

private:
    using MakeSink = std::unique_ptr<FileSink> (*)(RunContext* context,
                                                   const std::filesystem::path& path,
                                                   const std::filesystem::path& told);
    IndexedWriter(MakeSink make, RunContext* context, std::filesystem::path prefix, TokenType type);
    void append(std::span<const std::uint32_t> ids);
    void write_index();
    void split_bounds();

    MakeSink make_;
    RunContext* context_;
    std::filesystem::path prefix_;
    TokenType type_;
    std::unique_ptr<FileSink> bin_;
    std::vector<std::int32_t> lengths_;
    std::vector<std::int64_t> bounds_;  // empty while each document is one sequence
    std::int64_t tokens_ = 0;
    std::vector<std::byte> piece_;
};

}  // namespace stillroom::lm
