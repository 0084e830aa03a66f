#include "plugins/lm/weights/tensor_writer.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "plugins/lm/weights/file_sink.h"
#include "plugins/lm/weights/staged_files.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

std::vector<TensorInfo> infos_of(const std::vector<NewTensor>& tensors) {
    std::vector<TensorInfo> infos;
    for (const NewTensor& tensor : tensors)
        infos.push_back(tensor.info);
    return infos;
}

/// Bytes written so far, of all files.
struct Progress {
    const SaveOptions& options;
    std::uint64_t total = 0;
    std::uint64_t done = 0;

    void add(std::uint64_t bytes) {
        done += bytes;
        if (options.progress)
            options.progress(done, total);
    }
};

void write_tensor(FileSink& sink, const NewTensor& tensor, const TensorInfo& info) {
    std::uint64_t written = 0;
    if (tensor.from.file) {
        written = tensor.from.info->bytes;
        if (written == info.bytes)
            sink.copy(tensor.from.file->file(), tensor.from.info->offset, written);
    } else {
        tensor.make([&](std::span<const std::byte> bytes) {
            written += bytes.size();
            if (written <= info.bytes)
                sink.write(bytes);
        });
    }
    if (written != info.bytes)
        throw Error({},
                    fmt::format("tensor '{}' is {} {}, of {} bytes, and was given {}",
                                shown(info.name),
                                name_of(info.dtype),
                                to_string(info.shape),
                                info.bytes,
                                written))
            .exit_code(kExitInternal);
}

void write_file(FileSink& sink,
                const FileLayout& layout,
                const std::vector<NewTensor>& tensors,
                Progress& progress) {
    sink.write(bytes_of(layout.header));
    for (std::size_t i = 0; i < layout.tensors.size(); ++i) {
        write_tensor(sink, tensors[layout.origin[i]], layout.tensors[i]);
        progress.add(layout.tensors[i].bytes);
    }
    sink.close();
}

void refuse_in_place(const fs::path& folder, const fs::path& source) {
    std::error_code error;
    fs::path parent = source.parent_path();
    if (fs::equivalent(folder, parent.empty() ? "." : parent, error))
        throw Error({}, fmt::format("{} is the folder that is read", folder.string()))
            .hint("name another folder: a model is never changed in place")
            .exit_code(kExitUsage);
}

std::string index_of(const TensorFolder& folder) {
    constexpr std::size_t kAny = std::size_t{1} << 30;  // it was read before, within its limit
    return folder.has_index() ? read_file(folder.path() / kModelIndex, kAny) : std::string();
}

/// Where a file of `folder` lies in it.
std::string name_in(const TensorFolder& folder, const TensorFile& file) {
    return file.path().lexically_relative(folder.path()).generic_string();
}

}  // namespace

NewTensor unchanged(const FolderTensor& tensor) {
    return {*tensor.info, tensor, {}};
}

NewTensor in_memory(TensorInfo info, std::span<const std::byte> bytes) {
    return {std::move(info), {}, [bytes](const WriteBytes& write) { write(bytes); }};
}

std::vector<FileRecord> save_model(const fs::path& folder,
                                   const std::vector<NewTensor>& tensors,
                                   const SaveOptions& options) {
    for (const NewTensor& tensor : tensors)
        if (tensor.from.file)
            refuse_in_place(folder, tensor.from.file->path());
    ModelLayout layout = lay_out_model(infos_of(tensors), options.max_shard_size);
    Progress progress{options, layout.tensor_bytes};
    StagedFiles staged(folder, options.sync);
    for (const FileLayout& file : layout.files) {
        DigestingSink sink(staged.add(file.name), folder / file.name, options.sync);
        write_file(sink, file, tensors, progress);
        staged.written(sink.record());
    }
    return staged.commit(layout.index);
}

void save_model(RunContext& context,
                const fs::path& folder,
                const std::vector<NewTensor>& tensors,
                const SaveOptions& options) {
    ModelLayout layout = lay_out_model(infos_of(tensors), options.max_shard_size);
    Progress progress{options, layout.tensor_bytes};
    for (const FileLayout& file : layout.files)
        write_file(*stage_sink(context, folder / file.name), file, tensors, progress);
    if (!layout.index.empty())
        stillroom::write_file(folder / kModelIndex, layout.index);
}

void save_tensors(RunContext& context,
                  const fs::path& file,
                  const std::vector<NewTensor>& tensors,
                  const TensorMetadata& metadata) {
    FileLayout layout = lay_out_file(file.filename().string(), infos_of(tensors), metadata);
    SaveOptions options;
    Progress progress{options, layout.size};
    write_file(*stage_sink(context, file), layout, tensors, progress);
}

FileRecord save_tensors(const fs::path& file,
                        const fs::path& told,
                        const std::vector<NewTensor>& tensors,
                        const TensorMetadata& metadata) {
    FileLayout layout = lay_out_file(file.filename().string(), infos_of(tensors), metadata);
    SaveOptions options;
    Progress progress{options, layout.size};
    DigestingSink sink(file, told);
    write_file(sink, layout, tensors, progress);
    return sink.record();
}

std::vector<FileRecord> copy_model(const TensorFolder& from,
                                   const fs::path& folder,
                                   const SaveOptions& options) {
    refuse_in_place(folder, from.path() / kWholeModel);
    Progress progress{options, from.tensor_bytes()};
    StagedFiles staged(folder, options.sync);
    for (const TensorFile& file : from.files()) {
        std::string name = name_in(from, file);
        DigestingSink sink(staged.add(name), folder / name, options.sync);
        sink.copy(file.file(), 0, file.size());
        sink.close();
        staged.written(sink.record());
        progress.add(file.size());
    }
    return staged.commit(index_of(from));
}

void copy_model(const TensorFolder& from,
                RunContext& context,
                const fs::path& folder,
                const SaveOptions& options) {
    Progress progress{options, from.tensor_bytes()};
    for (const TensorFile& file : from.files()) {
        fs::path path = folder / name_in(from, file);
        make_folders(path.parent_path());
        auto sink = stage_sink(context, path);
        sink->copy(file.file(), 0, file.size());
        sink->close();
        progress.add(file.size());
    }
    if (std::string index = index_of(from); !index.empty())
        stillroom::write_file(folder / kModelIndex, index);
}

}  // namespace stillroom::lm
