// Drops a share of the encoded frames of one track.

let share = 0;

self.onmessage = ({ data }) => {
  share = data;
};

self.onrtctransform = ({ transformer }) => {
  const drop = new TransformStream({
    transform(frame, controller) {
      if (Math.random() >= share) controller.enqueue(frame);
    },
  });
  transformer.readable.pipeThrough(drop).pipeTo(transformer.writable);
};
