#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// Half-open, in bytes of the text that was given to encode.
struct Bounds {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;

    bool operator==(const Bounds&) const = default;
};

/// A part of the text on its way: as it reads now, and for each of its bytes where in the original
/// it came from (null where nobody asked).
struct Piece {
    std::string_view text;
    const Bounds* bounds = nullptr;
    bool at_start = false;  ///< it begins where the original does

    Piece part(std::size_t begin, std::size_t end) const;
};

/// Owns what rewriting made; pieces point into it. Where nothing is rewritten it takes no memory.
class PieceStore {
public:
    Piece keep(std::string text, std::vector<Bounds> bounds, bool at_start);
    /// The whole text; `track`: with bounds.
    Piece whole(std::string_view text, bool track);

private:
    std::list<std::string> texts_;
    std::list<std::vector<Bounds>> bounds_;
};

/// Writes a piece anew from left to right. What is inserted belongs to where the character before
/// it came from, as in the reference.
class Rewriter {
public:
    explicit Rewriter(const Piece& from) : from_(from) {}

    bool at_end() const { return at_ == from_.text.size(); }
    std::size_t at() const { return at_; }

    void copy(std::size_t bytes);  ///< as they are
    void drop(std::size_t bytes);
    void insert(std::string_view text);
    /// Takes away what was written last, as often as it is `text`.
    void drop_behind(std::string_view text);
    /// `c` in the place of the next character.
    void replace(char32_t c);
    /// `change` > 0: inserted; 0: instead of the next character; -n: and drops n more behind it.
    void put(char32_t c, int change);

    Piece finish(PieceStore& store);

private:
    void append(char32_t c, Bounds bounds);
    std::size_t next_length() const;
    Bounds before() const;

    Piece from_;
    std::size_t at_ = 0;
    std::string text_;
    std::vector<Bounds> bounds_;
};

}  // namespace stillroom::lm
