#pragma once

#include "engine/base/api.h"
#include "plugins/lm/weights/gguf_types.h"
#include "plugins/lm/weights/mapped_file.h"
#include "plugins/lm/weights/tensor.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

enum class GgufKind : std::uint32_t {
    u8,
    i8,
    u16,
    i16,
    u32,
    i32,
    f32,
    boolean,
    string,
    array,
    u64,
    i64,
    f64
};

/// The value of a key. Texts and numbers of an array are views of the header, which GgufFile holds.
struct GgufValue {
    GgufKind kind = GgufKind::u8;  ///< of an array: of its items
    bool is_array = false;
    std::uint64_t count = 1;
    std::string_view bytes;                 ///< of numbers: `count` of them; of a text: itself
    std::vector<std::string_view> strings;  ///< of an array of texts

    /// The number at `index`, if this is one of that kind: an integer also from a bool, and as a
    /// number.
    std::optional<std::int64_t> integer(std::uint64_t index = 0) const;
    std::optional<double> number(std::uint64_t index = 0) const;
};

struct GgufTensor {
    std::string name;
    const BlockType* type = nullptr;
    Shape shape;               ///< torch's order: rows last but one, a row's length last
    std::uint64_t offset = 0;  ///< from the beginning of the file
    std::uint64_t bytes = 0;
    std::size_t part = 0;  ///< of a model that was split: in which file, from 0
};

/// A GGUF file of version 2 or 3: keys with their values, and where each tensor lies. Opening reads
/// the header alone, checks every number in it against the file before anything is allocated for
/// it, and throws Error (exit 3) that names the file and what is wrong. The first file of a model
/// that was split (NAME-00001-of-00003.gguf) stands for all: the others give their tensors.
class STILLROOM_API GgufFile {
public:
    static GgufFile open(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return file_.path(); }
    std::uint32_t version() const { return version_; }
    std::vector<std::filesystem::path> parts() const;  ///< all files; nearly always one

    /// Null: no such key.
    const GgufValue* find(std::string_view key) const;
    const std::map<std::string, GgufValue, std::less<>>& values() const { return values_; }

    // The value of a key, nothing where it is absent; of another kind: Error (exit 3) naming it.
    std::optional<std::string_view> text(std::string_view key) const;
    std::optional<std::int64_t> integer(std::string_view key) const;
    std::optional<double> number(std::string_view key) const;
    std::optional<bool> boolean(std::string_view key) const;
    const std::vector<std::string_view>* texts(std::string_view key) const;
    const GgufValue* numbers(std::string_view key) const;  ///< an array

    /// In the order of the file, which is that of their offsets.
    const std::vector<GgufTensor>& tensors() const { return tensors_; }
    const GgufTensor* tensor(std::string_view name) const;  ///< null: no such tensor

    /// Fills `into` with a tensor's bytes from `offset` on.
    void read(const GgufTensor& tensor, std::uint64_t offset, std::span<std::byte> into) const;

    [[noreturn]] void refuse(std::string_view why, std::string hint = {}) const;

private:
    explicit GgufFile(MappedFile file) : file_(std::move(file)) {}
    static GgufFile open_one(const std::filesystem::path& path);
    void join_parts();
    friend class GgufHeaderReader;

    MappedFile file_;
    std::vector<char> header_;  // what the views in values_ show
    std::uint32_t version_ = 0;
    std::map<std::string, GgufValue, std::less<>> values_;
    std::vector<GgufTensor> tensors_;
    std::map<std::string_view, std::size_t> by_name_;  // views of names in tensors_
    std::vector<MappedFile> others_;                   // parts 1 and on
};

}  // namespace stillroom::lm
