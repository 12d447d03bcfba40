"""One thread for each test process: several of them share the machine, and spinning threads would only wait."""

import torch

torch.set_num_threads(1)
