#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace stillroom {

class RunContext;

/// A large file of an output. Its digest is worked out by other threads while it is written, so
/// that the engine need not read it again:
///
///     OutputFile file(context, context.output("model") / "model.safetensors");
///     file.write(header);
///     for (const Tensor& tensor : tensors)
///         file.write(tensor.bytes());
///     file.close();
///
/// Written from front to back, never changed afterwards. Holds a chunk of 8 MiB, and one
/// more for each thread that hashes: as many as the stage has, at most four.
class STILLROOM_API OutputFile {
public:
    /// Throws Error (exit 4) if the file cannot be made, or is there already.
    OutputFile(RunContext& context, std::filesystem::path file);

    /// Not closed: the file is incomplete, and is removed.
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    void write(std::string_view bytes);  ///< throws Error (exit 4)

    /// Writes what is left, syncs, and tells the context size and digest.
    void close();

    std::uint64_t size() const;  ///< bytes written so far

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace stillroom
