"""What a task saw, asked, was told and answered, kept as MCAP files of bounded size. The worker writes; whatever
happens to the disk, no robot notices. `store` alone is also for the process that answers: names and folders."""
