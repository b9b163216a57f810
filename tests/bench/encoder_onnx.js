// onnxruntime's ResNet-50: node encoder_onnx.js MODEL.onnx BATCH ROUNDS. Prints images a second (median).
const ort = require('onnxruntime-node');
(async () => {
  const [file, batch, rounds] = [process.argv[2], +process.argv[3], +process.argv[4]];
  const session = await ort.InferenceSession.create(file, {intraOpNumThreads: 2, interOpNumThreads: 1});
  const data = Float32Array.from({length: batch * 3 * 224 * 224}, () => Math.random() * 2 - 1);
  const seconds = [];
  for (let i = 0; i <= rounds; i++) {
    const start = process.hrtime.bigint();
    await session.run({x: new ort.Tensor('float32', data, [batch, 3, 224, 224])});
    if (i) seconds.push(Number(process.hrtime.bigint() - start) / 1e9);
  }
  seconds.sort((a, b) => a - b);
  console.log((batch / seconds[rounds >> 1]).toFixed(2), (process.memoryUsage().rss / 1e9).toFixed(2));
})();
