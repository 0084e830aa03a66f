#pragma once

#include <cstdint>
#include <span>

namespace stillroom::lm::tables {

// What make_tables.py wrote; the comments there say how each is to be read.
std::span<const std::uint32_t> category_runs();
std::span<const std::uint32_t> class_runs();
std::span<const std::uint32_t> canonical();
std::span<const std::uint32_t> compatible();
std::span<const std::uint32_t> compositions();
std::span<const std::uint32_t> lower_runs();
std::span<const std::uint32_t> old_marks();
std::span<const std::uint32_t> nonspacing();
std::span<const std::uint32_t> numeric();
std::span<const std::uint32_t> dropped();
std::span<const std::uint32_t> old_punctuation();
std::span<const std::uint32_t> grapheme_runs();
std::span<const std::uint32_t> script_runs();

}  // namespace stillroom::lm::tables
