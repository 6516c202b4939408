#!/bin/bash
# Train on two machines of four GPUs under SLURM, and go on by itself when the time is up:
#     sbatch examples/slurm.sh RECIPE DATA NAME
# Any job name but "bash" and "interactive" will do, by which Lightning tells an interactive session.
#SBATCH --job-name=curvox
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
# Five minutes before the end every process gets SIGUSR1. The run writes a checkpoint after the step, or after the dev
# EER at the end of an epoch, and ends with code 138 (128 + SIGUSR1).
#SBATCH --signal=USR1@300

recipe=$1 data=$2 name=$3

resume=()
if [ -f "runs/$name/recipe.yaml" ]; then
    resume=(--resume)
fi

srun --kill-on-bad-exit=1 python -m curvox train "$recipe" --data "$data" --name "$name" "${resume[@]}" \
    --set "training.nodes=$SLURM_JOB_NUM_NODES" \
    --set "training.devices=$SLURM_NTASKS_PER_NODE"
code=$?

if [ "$code" -eq 138 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
