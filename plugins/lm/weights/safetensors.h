#pragma once

#include "plugins/lm/weights/mapped_file.h"
#include "plugins/lm/weights/safetensors_header.h"

#include <memory>

namespace stillroom::lm {

/// A safetensors file, wholly checked when it is opened: from then on every tensor lies inside it.
///
///     TensorFile file = TensorFile::open(path);
///     for (const TensorInfo& info : file.tensors()) {
///         use(file.bytes(info));
///         file.forget(info);
///     }
///     file.check();
///
/// Should another program cut the file meanwhile, bytes that are gone read as zeros and check()
/// throws: it is called before what was read is believed. read() checks by itself.
class STILLROOM_API TensorFile {
public:
    /// Throws Error (exit 3) naming the path and what is wrong.
    static TensorFile open(const std::filesystem::path& path);

    TensorFile(TensorFile&&) noexcept;
    TensorFile& operator=(TensorFile&&) noexcept;
    ~TensorFile();

    const std::filesystem::path& path() const { return file_.path(); }
    std::uint64_t size() const { return file_.size(); }

    /// In the order of their bytes.
    const std::vector<TensorInfo>& tensors() const { return header_.tensors; }
    const TensorInfo* find(std::string_view name) const { return header_.find(name); }  ///< or null
    const TensorInfo& at(std::string_view name) const;  ///< throws Error (exit 3)
    const std::vector<std::pair<std::string, std::string>>& metadata() const {
        return header_.metadata;
    }

    /// A tensor's bytes, aligned to its elements, valid as long as this object lives (or is moved)
    /// and until forget(). They are mapped; of a tensor that lies unaligned in the file it is a
    /// copy. Any thread may ask.
    std::span<const std::byte> bytes(const TensorInfo& info) const;

    /// Copies a tensor's bytes; `into` has its size. Throws Error (exit 3) if they are gone.
    void read(const TensorInfo& info, std::span<std::byte> into) const;

    /// The tensor is not needed now: its pages or its copy stop counting as this process's memory.
    void forget(const TensorInfo& info) const;

    /// Throws Error (exit 3) if the file was cut since it was opened.
    void check() const { file_.check(); }

    const MappedFile& file() const { return file_; }

private:
    struct Copies;
    TensorFile(MappedFile file, SafetensorsHeader header);
    void check_inside(const TensorInfo& info) const;

    MappedFile file_;
    SafetensorsHeader header_;
    std::unique_ptr<Copies> copies_;
};

}  // namespace stillroom::lm
