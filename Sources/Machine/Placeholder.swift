// The instruction handlers follow.
