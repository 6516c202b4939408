#!/bin/bash
# Train on several machines without a scheduler; start it on each of them, with the name of the same one as MAIN:
#     MAIN=host1 NODES=2 DEVICES=4 examples/torchrun.sh RECIPE DATA NAME
# On one machine nothing has to be set but DEVICES. Started again after a stop, it continues the run.

recipe=$1 data=$2 name=$3
main=${MAIN:-127.0.0.1} nodes=${NODES:-1} devices=${DEVICES:-1}

resume=()
if [ -f "runs/$name/recipe.yaml" ]; then
    resume=(--resume)
fi

exec torchrun --nnodes "$nodes" --nproc-per-node "$devices" \
    --rdzv-backend c10d --rdzv-id "$name" --rdzv-endpoint "$main:29500" \
    -m curvox train "$recipe" --data "$data" --name "$name" "${resume[@]}" \
    --set "training.nodes=$nodes" --set "training.devices=$devices"
