"""The processes that `torchrun` starts for one training, one per device; or this one alone."""

import os
from dataclasses import dataclass

import torch
from torch import distributed, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Each draws batches of its own; their gradients are averaged, so that all hold the same network."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """The one that writes files and speaks."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            distributed.barrier()

    def average_gradients(self, network: nn.Module) -> None:
        """In place, over all."""
        self._average([value.grad for value in network.parameters() if value.grad is not None])

    def average_statistics(self, network: nn.Module) -> None:
        """In place: the running means and variances of the normalisation, which each has of its own batches."""
        self._average([value for value in network.buffers() if value.is_floating_point()])

    def any(self, mine: bool) -> bool:
        """Whether it is so for one of them."""
        if self.size == 1:
            return mine
        said = torch.tensor(float(mine), device=_device_of_messages())
        distributed.all_reduce(said, distributed.ReduceOp.MAX)
        return bool(said)

    def _average(self, tensors: list[torch.Tensor]) -> None:
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(flat)
        for tensor, mean in zip(tensors, (flat / self.size).split([tensor.numel() for tensor in tensors])):
            tensor.copy_(mean.reshape(tensor.shape))


def join(device: str) -> Crew:
    """The crew that the environment names; a process that `torchrun` did not start is its own."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Crew()
    if not distributed.is_initialized():
        if device == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    return Crew(rank=distributed.get_rank(), size=size)


def _device_of_messages() -> str:
    return "cuda" if distributed.get_backend() == "nccl" else "cpu"
