// Presentation states on the images of the viewer.
export const applyState = async () => false;
export const removeState = () => {};
