"""What a worker's process gives up before it reads its first program.

A program that breaks out of the compiler then finds nothing to take along, and nobody to give it to.

`landlock` and `seccomp` know the kernel's two means, `paths` what a worker needs of the file system,
`confinement` puts them together and says what holds. Knows neither JAX nor programs.
"""
